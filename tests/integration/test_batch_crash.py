"""A batch on a server that is killed with SIGKILL again and again: every line is answered exactly once."""

import asyncio
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Connection, func, select

from freehold.storage.database import open_database
from freehold.storage.tables import batch_lines, blobs, files, jobs
from tests.databases import database_setting, database_url

KEY = "sk-crash"
LINES = 300
WORDS = 20
RATE = 250.0
CHAT = "/v1/chat/completions"
SECONDS = 60.0
LEFT_OVER = (jobs, batch_lines)
Json = dict[str, Any]


class Server:
    """A server on a free port; killed and started again, it has the same data."""

    def __init__(self, folder: Path) -> None:
        self._data = folder / "data"
        self._log = folder / "server.log"
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        place = ["--data", str(self._data), "--port", "0", "--key", KEY]
        engine = ["--engine", "script", "--script-rate", str(RATE)]
        with self._log.open("wb") as log:
            command = [sys.executable, "-m", "tests.hurried", "serve", *place, *engine]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=database_setting(self._data))
        deadline = time.monotonic() + SECONDS
        while (ready := re.search(r"^ready (\S+)$", self._log.read_text(), re.MULTILINE)) is None:
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        headers = {"authorization": f"Bearer {KEY}"}
        self.client = httpx2.Client(base_url=ready[1], headers=headers, timeout=SECONDS)

    def kill(self) -> None:
        """Kill it."""
        self.client.close()
        self._process.kill()
        self._process.wait()

    def begin(self) -> str:
        """Begin a batch and return its id."""
        body = {"model": "gpt-5", "messages": [{"role": "user", "content": "word " * WORDS}]}
        line = {"method": "POST", "url": CHAT, "body": body}
        content = "".join(json.dumps({"custom_id": f"c{number}", **line}) + "\n" for number in range(LINES))
        uploaded = self.client.post("/files", files={"file": ("a.jsonl", content)}, data={"purpose": "batch"})
        order = {"input_file_id": uploaded.json()["id"], "endpoint": CHAT, "completion_window": "24h"}
        return self.client.post("/batches", json=order).raise_for_status().json()["id"]

    def until(self, batch_id: str, wanted: Callable[[Json], bool]) -> Json:
        """Wait until a batch is as wanted and return it."""
        deadline = time.monotonic() + SECONDS
        while not wanted(batch := self.client.get(f"/batches/{batch_id}").raise_for_status().json()):
            assert time.monotonic() < deadline, f"{batch}\n{self._log.read_text()}"
            time.sleep(0.01)
        return batch

    def lines(self, file_id: str) -> list[Json]:
        """The lines of a file."""
        return [json.loads(line) for line in self.client.get(f"/files/{file_id}/content").text.splitlines()]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.kill()


def done(least: int) -> Callable[[Json], bool]:
    return lambda batch: batch["status"] == "completed" or batch["request_counts"]["completed"] >= least


def check_storage(data: Path) -> None:
    """Nothing is left that belongs to nothing."""

    async def look() -> tuple[int, int, set[str], set[str], set[str]]:
        async with open_database(database_url(data), data) as database:

            def work(connection: Connection) -> tuple[int, int, set[str], set[str], set[str]]:
                counts = [connection.execute(select(func.count()).select_from(one)).scalar_one() for one in LEFT_OVER]
                kept = select(blobs.c.id).where(blobs.c.state == "kept")
                used, known = select(files.c.blob), select(blobs.c.id)
                ids = [set(connection.execute(one).scalars()) for one in (kept, used, known)]
                return counts[0], counts[1], ids[0], ids[1], ids[2]

            return await database.read(work)

    left_jobs, left_lines, kept, used, known = asyncio.run(look())
    stored = {path.name.removesuffix(".part") for path in (data / "blobs").iterdir()}
    assert (left_jobs, left_lines) == (0, 0)
    assert kept == used
    assert kept <= stored <= known


def test_every_line_is_answered_exactly_once(tmp_path: Path) -> None:
    chance = random.Random()  # noqa: S311
    with serving(tmp_path) as server:
        batch_id = server.begin()
        seen, moments = 0, [0.0, chance.uniform(0.0, 0.1), *(chance.uniform(0.2, 1.5) for _ in range(4))]
        for moment in moments:
            time.sleep(moment)
            server.kill()
            server.start()
            count = server.until(batch_id, lambda _: True)["request_counts"]["completed"]
            assert count >= seen, "what was answered is answered"
            seen = count
        for least in (LINES - 20, LINES):  # and while the files are written, perhaps
            server.until(batch_id, done(least))
            server.kill()
            server.start()
        batch = server.until(batch_id, lambda batch: batch["status"] == "completed")
        assert batch["request_counts"] == {"total": LINES, "completed": LINES, "failed": 0}
        assert batch["error_file_id"] is None
        output = server.lines(batch["output_file_id"])
        assert [line["custom_id"] for line in output] == [f"c{number}" for number in range(LINES)]
        assert len({line["id"] for line in output}) == LINES
        texts = {line["response"]["body"]["choices"][0]["message"]["content"] for line in output}
        assert texts == {"word " * WORDS}
        assert batch["usage"]["output_tokens"] == LINES * WORDS
        uploaded = server.client.get("/files").json()["data"]
        assert sorted(file["purpose"] for file in uploaded) == ["batch", "batch_output"]
        time.sleep(0.5)
    check_storage(tmp_path / "data")
