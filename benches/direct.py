"""The engine called directly: xllamacpp in a bare process, a thread a stream, no Freehold.

usage: python -m benches.direct MODEL.gguf SLOTS     then a line per run on stdin: STREAMS TOKENS PROMPT-AS-JSON;
answers each with a line of JSON: tokens per second over all streams, and the median time to the first token
"""

import json
import statistics
import sys
import threading
import time
from typing import Any

import xllamacpp

native: Any = xllamacpp


def load(path: str, slots: int, pool: int) -> Any:
    """Load the model with the parameters that Freehold uses."""
    p = native.CommonParams()
    p.model.path = path
    p.n_ctx, p.n_parallel, p.kv_unified, p.n_batch = pool, slots, True, 256
    p.cpuparams.n_threads, p.cpuparams_batch.n_threads = 1, 2
    p.cache_ram_mib, p.warmup, p.ui, p.verbosity = 512, False, False, 2
    p.hostnames, p.offline = ["direct.sock"], True
    return native.Server(p)


def one(server: Any, prompt: str, tokens: int, firsts: list[float], counts: list[int]) -> None:
    """One stream."""
    started = time.perf_counter()
    seen = 0

    def take(chunk: str) -> bool:
        nonlocal seen
        data = json.loads(chunk)
        if data["choices"][0]["text"]:
            seen += 1
            if seen == 1:
                firsts.append(time.perf_counter() - started)
        if "usage" in data:
            counts.append(data["usage"]["completion_tokens"])
        return False

    body = {"prompt": prompt, "max_tokens": tokens, "stream": True, "temperature": 0, "cache_prompt": True}
    server.handle_completions(json.dumps(body | {"ignore_eos": False, "top_k": 0, "min_p": 0}), take)


def main() -> None:
    """Load, then answer each line."""
    server = load(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    print("ready", flush=True)
    for line in sys.stdin:
        streams, tokens, prompts = json.loads(line)
        firsts: list[float] = []
        counts: list[int] = []
        threads = [
            threading.Thread(target=one, args=(server, prompts[i % len(prompts)], tokens, firsts, counts))
            for i in range(streams)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        wall = time.perf_counter() - started
        print(json.dumps([sum(counts) / wall, statistics.median(firsts)]), flush=True)


if __name__ == "__main__":
    main()
