"""Real servers in processes of their own: started within a bound, stopped with SIGTERM, killed if they do not stop."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from openai import OpenAI

from tests.databases import database_setting

KEY = "sk-test-server"
STOP_SECONDS = 15.0
_READY = re.compile(r"^ready (http://\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Server:
    """A server that answers at `base_url` (it ends in `/v1`) and accepts `key`; `log` is all that it printed."""

    base_url: str
    key: str
    process: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        self.process.send_signal(number)

    def exit_code(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the server to end. Raises AssertionError with its log when it does not within `seconds`."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server still runs after {seconds:g} s:\n{self.log.read_text()}") from None


@contextmanager
def running_server(folder: Path, *args: str, ready_seconds: float = 60.0) -> Iterator[Server]:
    """Run `freehold serve` with `args` on a free port, with its data and its log in `folder`.

    Two servers after each other on one folder share their data. Raises AssertionError with the log when the server is
    not ready within `ready_seconds`, or does not end within STOP_SECONDS of SIGTERM.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"server-{time.monotonic_ns()}.log"
    freehold = Path(sys.executable).with_name("freehold")
    where = ("--data", str(folder / "data"), "--port", "0", "--key", KEY)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [freehold, "serve", *where, *args],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=database_setting(folder / "data"),
        )
    try:
        server = Server(_base_url(process, log, ready_seconds), KEY, process, log)
        yield server
        if process.poll() is None:
            process.terminate()
            server.exit_code()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _base_url(process: subprocess.Popen[bytes], log: Path, seconds: float) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        ready = _READY.search(log.read_text())
        if ready is not None:
            return ready[1]
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}:\n{log.read_text()}")
        time.sleep(0.05)
    raise AssertionError(f"the server was not ready within {seconds:g} s:\n{log.read_text()}")


def strict_client(server: Server, key: str | None = None) -> OpenAI:
    """The official client, which raises where an answer or a stream event is not what the API documents.

    `key` is the server's own, or another.
    """
    return OpenAI(
        base_url=server.base_url,
        api_key=key or server.key,
        max_retries=0,
        timeout=60,
        _strict_response_validation=True,
    )


def key_of_project(server: Server, project: str) -> str:
    """Make a key of another project than the server's own key is of."""
    freehold = Path(sys.executable).with_name("freehold")
    data = server.log.parent / "data"
    command = [freehold, "--data", str(data), "keys", "create", "--project", project]
    env = database_setting(data)
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60, env=env).stdout.strip()


def http_client(server: Server) -> httpx2.Client:
    """A plain HTTP client with the server's key, for the bytes themselves."""
    headers = {"authorization": f"Bearer {server.key}"}
    return httpx2.Client(base_url=server.base_url, headers=headers, timeout=60)
