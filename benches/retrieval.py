"""How well search ranks: nDCG@10 by words, by meaning, fused and reranked, over collections that people have judged.

usage: python -m benches.retrieval [--embedder nomic-embed-text-v1.5] [--collections papers,news] [--rerank MODEL]

A server of its own takes every text in as a file of a vector store, and is asked through `vector_stores.search`.
`--embedder` is a starter, a .gguf file, or the folder of an ONNX model; `--rerank` names the chat model that judges
what was found, `--queries` bounds their number. Exits with 1 when the fused ranking is more than 0.01 below its better
half.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from math import log2
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI

from benches.judged import COLLECTIONS, Judged
from benches.server_cpu import KEY, free_port, server

_AT_ONCE = 8
_DEPTH = 10
_RANKINGS: Mapping[str, Any] = {
    "words": {"ranker": "none", "hybrid_search": {"embedding_weight": 0, "text_weight": 1}},
    "meaning": {"ranker": "none", "hybrid_search": {"embedding_weight": 1, "text_weight": 0}},
    "fused": {"ranker": "none"},
}
_RERANKED: Mapping[str, Any] = {"reranked": {"ranker": "auto"}}


def ndcg(found: Sequence[str], relevance: Mapping[str, float]) -> float:
    """The normalised discounted cumulative gain of the first 10 (Jarvelin and Kekalainen 2002, linear gains)."""
    gains = [relevance.get(one, 0.0) for one in found[:_DEPTH]]
    best = sorted(relevance.values(), reverse=True)[:_DEPTH]
    return _discounted(gains) / _discounted(best)


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 2) for rank, gain in enumerate(gains))


async def filled(client: AsyncOpenAI, texts: Mapping[str, str]) -> str:
    """Put every text into a new store and return its id when all are in."""
    places = asyncio.Semaphore(_AT_ONCE)

    async def upload(name: str, text: str) -> str:
        async with places:
            return (await client.files.create(file=(f"{name}.txt", text.encode()), purpose="assistants")).id

    ids = await asyncio.gather(*(upload(name, text) for name, text in texts.items()))
    store = await client.vector_stores.create()
    batch = await client.vector_stores.file_batches.create_and_poll(store.id, file_ids=ids, poll_interval_ms=1000)
    if batch.file_counts.completed != len(texts):
        raise RuntimeError(f"not every text was taken in: {batch.file_counts}")
    return store.id


async def ranked(client: AsyncOpenAI, store: str, query: str, options: Any) -> list[str]:
    """The names of the best texts for a query, the query itself left out."""
    found = await client.vector_stores.search(
        store, query=query[:4096], max_num_results=_DEPTH + 1, ranking_options=options
    )
    return [one.filename.removesuffix(".txt") for one in found.data]


async def measure(client: AsyncOpenAI, judged: Judged, most: int, rankings: Mapping[str, Any]) -> dict[str, float]:
    """The mean nDCG@10 of each ranking."""
    store, means = await filled(client, judged.texts), dict[str, float]()
    chosen = sorted(judged.queries)[:: max(1, len(judged.queries) // most)]
    for name, options in rankings.items():
        scores = []
        for query in chosen:
            found = await ranked(client, store, judged.queries[query], options)
            scores.append(ndcg([one for one in found if one != query], judged.relevance[query]))
        means[name] = statistics.mean(scores)
    return means | {"queries": len(chosen)}


async def run(options: argparse.Namespace) -> bool:
    """Start the server and print a line for each collection; return whether the fused rankings held."""
    kept = True
    rankings = {**_RANKINGS, **(_RERANKED if options.rerank else {})}
    with tempfile.TemporaryDirectory() as folder:
        config, kind = Path(folder) / "freehold.toml", "onnx" if Path(options.embedder).is_dir() else "llama"
        config.write_text(
            f'[[embedders]]\nname = "bench"\nkind = "{kind}"\nmodel = "{options.embedder}"\n'
            f"[search]\nrerank = {str(bool(options.rerank)).lower()}\n"
        )
        port, model = free_port(), ("--model", options.rerank) if options.rerank else ("--engine", "script")
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(config), "--port", str(port))
        with server(port, *command, *model, "--data", str(Path(folder) / "data"), "--key", KEY):
            client = AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=600)
            print(f"| collection | texts | queries | {' | '.join(rankings)} |\n|---|---|---|{'---|' * len(rankings)}")
            for name in options.collections.split(","):
                judged = COLLECTIONS[name]()
                means = await measure(client, judged, options.queries, rankings)
                row = (name, len(judged.texts), int(means["queries"]), *(f"{means[one]:.3f}" for one in rankings))
                print("| " + " | ".join(map(str, row)) + " |", flush=True)
                kept = kept and means["fused"] >= max(means["words"], means["meaning"]) - 0.01
    return kept


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="nomic-embed-text-v1.5")
    parser.add_argument("--collections", default=",".join(COLLECTIONS))
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--rerank")
    raise SystemExit(not asyncio.run(run(parser.parse_args())))


if __name__ == "__main__":
    main()
