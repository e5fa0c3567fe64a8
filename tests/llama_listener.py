"""`python -m tests.llama_listener MODEL`: llama.cpp's own HTTP server over a model file, on a free port that it prints.

It is the server core of llama-server; it ends when its standard input does.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from xllamacpp import CommonParams, Server


@contextmanager
def llama_listener(model: Path) -> Iterator[str]:
    """Run the listener in a process of its own; yield its URL."""
    command = [sys.executable, "-m", "tests.llama_listener", str(model)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip() + "/v1"
        finally:
            process.kill()


def main() -> None:
    """Listen until standard input ends."""
    params = CommonParams()
    params.model.path = sys.argv[1]
    params.model_alias = {"far"}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = 1024
    params.n_parallel = 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1  # more wait for each other on a busy machine
    server = Server(params)
    sys.stdout.write(f"{server.listening_address}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
