"""Upstreams that come, go, and tell what they are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from freehold.engines.remote import upstreams as module
from freehold.engines.remote.address import address
from freehold.engines.remote.client import Client, Patience
from freehold.engines.remote.probe import Probe
from freehold.engines.remote.replicas import FAILURES
from freehold.engines.remote.upstreams import Upstream, Upstreams
from tests.upstream import Upstream as Server
from tests.upstream import reply, upstream

PATIENCE = Patience(connect=2.0, first=2.0, between=2.0)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await main()

    asyncio.run(bounded())


class Known:
    """Upstreams, and how often they were said to have changed."""

    def __init__(self, *servers: Server, names: tuple[str, ...] = (), dialect: str | None = None) -> None:
        clients = [Client(address(one.url), None, PATIENCE) for one in servers]
        all_ = [Upstream(client, Probe(client, dialect, ())) for client in clients]
        self.changes = 0
        self.changed = asyncio.Event()
        self.all = Upstreams(all_, names, dialect, self._changed)

    def _changed(self) -> None:
        self.changes += 1
        self.changed.set()


@asynccontextmanager
async def watched(known: Known, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    task = asyncio.create_task(known.all.watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  nobody tells when a breaker changes
        await asyncio.sleep(0.01)


def test_one_that_does_not_answer_is_taken_to_be_like_the_others() -> None:
    async def main() -> None:
        async with upstream("vllm") as good, upstream() as bad:
            bad.answer("/v1/models", reply("", 500))
            known = Known(good, bad)
            assert known.all.dialect(1).name == "plain"
            await known.all.ask()
            assert [known.all.dialect(place).name for place in (0, 1)] == ["vllm", "vllm"]
            assert len(known.all.facts) == 1
            assert Known(bad, dialect="sglang").all.dialect(0).name == "sglang"
            known.all.close()

    run(main)


def test_all_together_compute_as_many_answers_as_each_says_or_as_is_usual() -> None:
    async def main() -> None:
        async with upstream("llamacpp") as tells, upstream("vllm") as silent:
            tells.answer("/props", reply({"build_info": "b1", "total_slots": 6}))
            known = Known(tells, silent)
            assert known.all.slots == 64 + 64
            await known.all.ask()
            assert known.all.slots == 6 + 256
            known.all.close()

    run(main)


def test_one_that_comes_later_is_asked_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with upstream("sglang") as late:
            models = late.answers["/v1/models"]
            late.answer("/v1/models", reply("", 503))
            known = Known(late)
            await known.all.ask()
            assert known.changes == 0
            async with watched(known, monkeypatch):
                late.answers["/v1/models"] = models
                await known.changed.wait()
            assert known.all.dialect(0).name == "sglang"
            known.all.close()

    run(main)


def test_an_upstream_that_lacks_a_model_is_not_asked_for_it(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with upstream() as one, upstream() as other:
            other.answer("/v1/models", reply({"data": [{"id": "n"}]}))
            known = Known(one, other, names=("m",))
            assert known.all.lacking("m") == []
            await known.all.ask()
            assert [known.all.lacking(name) for name in ("m", "n", "neither")] == [[1], [0], []]
            assert f"{other.url} does not list m" in caplog.text
            assert f"{one.url} does not list" not in caplog.text
            known.all.close()

    run(main)


def test_a_breaker_closes_when_the_upstream_answers_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with upstream() as up:
            models = up.answers["/v1/models"]
            known = Known(up)
            await known.all.ask()
            replica = known.all.replicas[0]
            up.answer("/v1/models", reply("", 500))
            for _ in range(FAILURES):
                replica.fail(known.all.replicas.now())
            async with watched(known, monkeypatch):
                asked = len(up.asked)
                await until(lambda: len(up.asked) > asked + 2)
                assert known.all.replicas.choose(None, ()) is None
                up.answers["/v1/models"] = models
                await until(lambda: known.all.replicas.choose(None, ()) == 0)
            told = [record.getMessage() for record in caplog.records if record.name.endswith("upstreams")]
            assert [up.url in one for one in told] == [True, True]
            assert ["does not say how it is" in told[0], "answers again" in told[1]] == [True, True]
            known.all.close()

    run(main)


def test_one_that_is_well_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with upstream() as up:
            known = Known(up)
            await known.all.ask()
            up.answer("/v1/models", reply("", 500))
            async with watched(known, monkeypatch):
                await until(lambda: known.all.replicas[0].broken)
            known.all.close()

    run(main)
