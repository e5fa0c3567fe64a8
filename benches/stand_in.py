"""llama.cpp's server core behind its own HTTP listener, in a bare process: what llama-server is, from a wheel.

usage: python benches/stand_in.py MODEL.gguf PORT SLOTS CONTEXT THREADS BATCH-THREADS
"""

import signal
import sys
from typing import Any

import xllamacpp

native: Any = xllamacpp


def main() -> None:
    """Serve until a signal."""
    path, (port, slots, context, threads, batch) = sys.argv[1], map(int, sys.argv[2:])
    p = native.CommonParams()
    p.model.path = path
    p.hostnames, p.port, p.offline = ["127.0.0.1"], port, True
    p.n_ctx, p.n_parallel, p.kv_unified = context, slots, True
    p.cpuparams.n_threads, p.cpuparams_batch.n_threads = threads, batch
    p.cache_ram_mib, p.ui, p.verbosity = 512, False, 2
    serving = native.Server(p)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    del serving


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
