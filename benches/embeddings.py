"""How many texts are embedded through HTTP, against the engine called directly in a process of its own; in one run.

usage: python -m benches.embeddings [--embedder nomic-embed-text-v1.5] [--texts 128] [--words 80] [--rounds 5]

`--embedder` is a starter, a .gguf file, or the folder of an ONNX model. The two take turns with the same texts: one
request of all of them through the official client, or one call of the engine's own list interface. Exits with 1 where
the median of the ratios is below 0.95.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from openai import OpenAI

from benches.server_cpu import KEY, free_port, server
from freehold.config import folders
from freehold.engines.embedding.onnx_model import OnnxModel
from freehold.engines.llama.encoder import LlamaEncoder
from freehold.engines.weights.fetch import fetch
from freehold.engines.weights.folder import Folder
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Open

TARGET = 0.95
_LIBRARY = Path(__file__).parent / "library"


@cache
def engine(path: str, folder: str) -> Backend:
    """The engine, loaded once in this process."""
    opening = Open(backend="", path=path, folder=folder, slots=4, context=None, pool=None, threads=None)
    return OnnxModel(opening) if Path(path).is_dir() else LlamaEncoder(opening)


def directly(path: str, folder: str, texts: Sequence[str]) -> float:
    """Embed the texts with the engine of this process, and return the seconds."""
    loaded, started = engine(path, folder), time.perf_counter()
    if len(loaded.embed(tuple(texts)).rows) != len(texts):
        raise RuntimeError("not every text has a vector")
    return time.perf_counter() - started


def path_of(embedder: str) -> Path:
    """The file or folder of a model; a starter is fetched."""
    if Path(embedder).exists():
        return Path(embedder)
    return fetch(Folder(folders(os.environ).models), embedder, lambda done, total: None)


def made(count: int, words: int, chance: np.random.Generator) -> list[str]:
    """Texts of `words` words of the library's, no two alike."""
    known = " ".join(one.read_text() for one in sorted(_LIBRARY.glob("*.md"))).split()
    return [" ".join(chance.choice(known, words)) for _ in range(count)]


def through_http(client: OpenAI, model: str, texts: list[str]) -> float:
    """Embed the texts through the server, and return the seconds."""
    started = time.perf_counter()
    if len(client.embeddings.create(model=model, input=texts).data) != len(texts):
        raise RuntimeError("not every text has a vector")
    return time.perf_counter() - started


def run(options: argparse.Namespace) -> bool:
    """Take turns, print the medians, and return whether the target is met."""
    chance, pairs = np.random.default_rng(1), list[tuple[float, float]]()
    path = path_of(options.embedder)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as own:
        config, kind = Path(folder) / "freehold.toml", "onnx" if path.is_dir() else "llama"
        config.write_text(f'[[embedders]]\nname = "bench"\nkind = "{kind}"\nmodel = "{options.embedder}"\n')
        port = free_port()
        command = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(config), "--port", str(port))
        with (
            server(port, *command, "--engine", "script", "--data", str(Path(folder) / "data"), "--key", KEY),
            ProcessPoolExecutor(1, get_context("spawn")) as process,
        ):
            client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=KEY, timeout=3_600, max_retries=0)
            for number in range(options.rounds + 1):
                texts = made(options.texts, options.words, chance)
                http, direct = (
                    through_http(client, path.stem, texts),
                    process.submit(directly, str(path), own, texts).result(),
                )
                if number:  # the first loads the models
                    pairs.append((http, direct))
    ratio = statistics.median(direct / http for http, direct in pairs)
    http, direct = (options.texts / statistics.median(one) for one in zip(*pairs, strict=True))
    print(f"{options.texts} texts of {options.words} words: {http:.1f} a second through HTTP, {direct:.1f} directly")
    print(f"ratio {ratio:.3f} (target {TARGET})")
    return ratio >= TARGET


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--embedder", default="nomic-embed-text-v1.5")
    parser.add_argument("--texts", type=int, default=128)
    parser.add_argument("--words", type=int, default=80)
    parser.add_argument("--rounds", type=int, default=5)
    raise SystemExit(not run(parser.parse_args()))


if __name__ == "__main__":
    main()
