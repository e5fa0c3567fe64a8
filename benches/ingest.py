"""What taking documents in costs: documents a second, and the memory of the server and of its processes as it goes on.

usage: python -m benches.ingest [--documents 1000] [--words 2000] [--embedder FOLDER-OR-FILE]

Documents of ten kinds (pdf, docx, html, md, txt, csv, json, eml, py, tex) are put into a vector store by `freehold
ingest`. Without `--embedder`, it is the script one: what is measured is the reading, the cutting and the rows. Exits
with 1 where a document failed, or the second half of them took 20 % more memory than the first.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil

from benches.server_cpu import KEY, free_port, server
from tests.papers import docx, pdf

_MORE = 1.2
_LIBRARY = Path(__file__).parent / "library"


def _pages(words: list[str]) -> bytes:
    return pdf(*(" ".join(words[start : start + 200]) for start in range(0, len(words), 200)))


def _mail(words: list[str]) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.org", "b@example.org", " ".join(words[:5])
    mail.set_content(" ".join(words))
    return mail.as_bytes()


def _lines(words: list[str], start: str, between: str, end: str) -> bytes:
    rows = (between.join(words[place : place + 8]) for place in range(0, len(words), 8))
    return "\n".join(f"{start}{row}{end}" for row in rows).encode()


KINDS: Mapping[str, Callable[[list[str]], bytes]] = {
    "pdf": _pages,
    "docx": lambda words: docx(" ".join(words)),
    "html": lambda words: b"<html><body><h1>A page</h1>" + _lines(words, "<p>", " ", "</p>") + b"</body></html>",
    "md": lambda words: b"# A heading\n\n" + _lines(words, "- ", " ", ""),
    "txt": lambda words: _lines(words, "", " ", "."),
    "csv": lambda words: _lines(words, "", ",", ""),
    "json": lambda words: json.dumps({"words": words}).encode(),
    "eml": _mail,
    "py": lambda words: _lines(words, "# ", " ", ""),
    "tex": lambda words: _lines(words, "", " ", r" \\"),
}


def fill(folder: Path, documents: int, words: int) -> int:
    """Write the documents, and return their bytes."""
    text = "".join(one if one.isalnum() else " " for one in _known())
    known, chance, total = text.split(), np.random.default_rng(1), 0
    for number, kind in enumerate(islice(cycle(KINDS), documents)):
        made = KINDS[kind]([str(word) for word in chance.choice(known, words)])
        (folder / f"{number:06}.{kind}").write_bytes(made)
        total += len(made)
    return total


def _known() -> str:
    return " ".join(one.read_text() for one in sorted(_LIBRARY.glob("*.md")))


class Memory:
    """The resident megabytes of a process and of all that it starts, read four times a second."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.read: list[float] = []
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.25):
            total = 0
            for one in (self._process, *self._process.children(recursive=True)):
                try:
                    total += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            self.read.append(total / 1e6)

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        self._thread.join()


def run(options: argparse.Namespace) -> bool:
    """Take the documents in, print what it cost, and return whether all went well."""
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as data:
        size, port, config = fill(Path(made), options.documents, options.words), free_port(), Path(data) / "bench.toml"
        chosen = options.embedder or ""
        kind = "script" if not chosen else "onnx" if Path(chosen).is_dir() else "llama"
        config.write_text(
            f'[[embedders]]\nname = "bench"\nkind = "{kind}"\n' + (f'model = "{chosen}"\n' * bool(chosen))
        )
        freehold = (sys.executable, "-m", "freehold.cli.main")
        command = (*freehold, "serve", "--config", str(config), "--port", str(port), "--engine", "script")
        with server(port, *command, "--data", str(Path(data) / "data"), "--key", KEY) as pid:
            memory, started = Memory(pid), time.monotonic()
            to = ("--store", "bench", "--url", f"http://127.0.0.1:{port}/v1", "--key", KEY)
            done = subprocess.run((*freehold, "ingest", made, *to), check=False)
            seconds = time.monotonic() - started
            memory.stop()
    half = len(memory.read) // 2
    first, second = max(memory.read[:half]), max(memory.read[half:])
    print(f"{options.documents} documents, {size / 1e6:.1f} MB: {options.documents / seconds:.1f} a second")
    print(
        f"memory at the start {memory.read[0]:.0f} MB, at most {first:.0f} MB in the first half, {second:.0f} after it"
    )
    return done.returncode == 0 and second <= first * _MORE


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=1_000)
    parser.add_argument("--words", type=int, default=2_000)
    parser.add_argument("--embedder")
    raise SystemExit(not run(parser.parse_args()))


if __name__ == "__main__":
    main()
