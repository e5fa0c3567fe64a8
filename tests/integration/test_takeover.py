"""Two servers over one database: whichever is killed, the other goes on, and a client sees one gapless stream."""

import asyncio
import json
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from freehold.storage.database import open_database
from freehold.storage.tables import jobs
from tests.databases import database_url
from tests.servers import Server, http_client, running_server
from tests.sse_checker import Json, check_stream

KILLS = 10
RATE = "60"
WORDS = 2_000
SECONDS = 120.0


class Pair:
    """Two servers that share their data; one is killed and started again while the other works."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.servers = [self._start(), self._start()]

    def _start(self) -> Server:
        server = running_server(self.folder, "--engine", "script", "--script-rate", RATE)
        return self._stack.enter_context(server)

    def kill(self, number: int) -> None:
        """Kill a server with SIGKILL; the leases that it had are over."""
        self.servers[number].signal(signal.SIGKILL)
        self.servers[number].process.wait()
        self._write(lambda connection: connection.execute(update(jobs).values(due=0.0)))

    def attempts(self) -> list[int]:
        """How often each job that is left was claimed."""
        return self._write(lambda connection: list(connection.execute(select(jobs.c.attempts)).scalars()))

    def _write(self, work: Callable[[Connection], Any]) -> Any:
        async def main() -> Any:
            data = self.folder / "data"
            async with open_database(database_url(data), data) as database:
                return await database.write(work)

        return asyncio.run(main())

    def revive(self, number: int) -> None:
        """Start a server in the place of the killed one."""
        self.servers[number] = self._start()


@contextmanager
def pair(folder: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(folder, stack)


class Follower:
    """Follows a response from any server, each time from the last event that it has seen."""

    def __init__(self, response_id: str) -> None:
        self.response_id = response_id
        self.events: list[Json] = []

    @property
    def ended(self) -> bool:
        return bool(self.events) and self.events[-1]["type"] in ("response.completed", "response.failed")

    def follow(self, server: Server, count: int) -> None:
        """Read until there are `count` more events, or all."""
        query = {"stream": "true"}
        if self.events:
            query["starting_after"] = str(self.events[-1]["sequence_number"])
        wanted = len(self.events) + count
        with http_client(server) as client:
            path = f"/responses/{self.response_id}"
            with client.stream("GET", path, params=query, timeout=SECONDS) as answer:
                assert answer.status_code == 200
                for line in answer.iter_lines():
                    if line.startswith("data: "):
                        self.events.append(json.loads(line.removeprefix("data: ")))
                        if len(self.events) == wanted:
                            return


@pytest.mark.timeout(400)
def test_a_stream_outlives_ten_kills(tmp_path: Path) -> None:
    chance = random.Random(7)  # noqa: S311  it only has to be the same every time
    text = " ".join(f"word{number}" for number in range(WORDS))
    with pair(tmp_path) as both:
        with http_client(both.servers[0]) as client:
            body = {"model": "gpt-5", "input": text, "background": True}
            created = client.post("/responses", json=body).raise_for_status().json()
        follower = Follower(created["id"])
        works = 0
        for _ in range(KILLS):
            follower.follow(both.servers[1 - works], chance.randint(4, 40))
            assert not follower.ended
            time.sleep(chance.random() * 0.3)
            both.kill(works)
            follower.follow(both.servers[1 - works], 3)
            both.revive(works)
            works = 1 - works
        assert both.attempts() == [KILLS + 1]
        follower.follow(both.servers[1 - works], 10_000)
        final = check_stream(follower.events)
        assert final["status"] == "completed"
        assert final["output"][0]["content"][0]["text"] == text
        assert final["usage"]["output_tokens"] == WORDS
        for server in both.servers:
            again = Follower(created["id"])
            again.follow(server, 10_000)
            assert again.events == follower.events
            with http_client(server) as client:
                assert client.get(f"/responses/{created['id']}").json() == final


def test_many_streams_survive_a_kill_in_any_state(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        followers = []
        with http_client(both.servers[0]) as client:
            for number in range(20):
                text = f"begin {number} " + "word " * (5 * number)
                body = {"model": "gpt-5", "input": text, "background": True}
                followers.append((text, Follower(client.post("/responses", json=body).json()["id"])))
        time.sleep(0.7)
        both.kill(0)
        finals = []
        for text, follower in followers:
            follower.follow(both.servers[1], 10_000)
            finals.append(check_stream(follower.events))
            assert (finals[-1]["status"], finals[-1]["output"][0]["content"][0]["text"]) == ("completed", text)
        both.revive(0)
        with http_client(both.servers[0]) as client:
            assert [client.get(f"/responses/{final['id']}").json() for final in finals] == finals
        assert both.attempts() == []


def test_the_other_server_cancels_it(tmp_path: Path) -> None:
    with pair(tmp_path) as both:
        with http_client(both.servers[0]) as client:
            body = {"model": "gpt-5", "input": "word " * 1_000, "background": True}
            created = client.post("/responses", json=body).json()
        follower = Follower(created["id"])
        follower.follow(both.servers[1], 10)
        with http_client(both.servers[1]) as client:
            start = time.monotonic()
            cancelled = client.post(f"/responses/{created['id']}/cancel").json()
            assert time.monotonic() - start < 2.0
        assert cancelled["status"] == "cancelled"
        follower.follow(both.servers[0], 10_000)
        assert check_stream(follower.events) == cancelled
