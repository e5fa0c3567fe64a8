import asyncio
from collections.abc import AsyncGenerator

import pytest

from freehold.http.body import ClientGone
from freehold.http.sse import EventStream, unless_gone


class Wire:
    """Both ends of an ASGI connection: what was sent, and a client that leaves when it is told to."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        self.left = asyncio.Event()

    async def receive(self) -> dict:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict) -> None:
        self.sent.append(message)


def test_frames_are_sent_one_by_one_and_the_stream_is_closed() -> None:
    async def main() -> None:
        async def frames() -> AsyncGenerator[bytes, None]:
            yield b"one"
            yield b"two"

        wire = Wire()
        await EventStream(frames())({}, wire.receive, wire.send)
        start, *bodies = wire.sent
        assert start["status"] == 200
        headers = dict(start["headers"])
        assert headers[b"content-type"].startswith(b"text/event-stream") and b"content-length" not in headers
        assert [(body["body"], body["more_body"]) for body in bodies] == [(b"one", True), (b"two", True), (b"", False)]

    asyncio.run(main())


def test_of_many_only_those_are_ended_whose_client_has_left() -> None:
    async def main() -> None:
        async def slow(wire: Wire, seconds: float) -> str:
            try:
                return await unless_gone(wire.receive, asyncio.sleep(seconds, "done"))
            except ClientGone:
                return "gone"

        wires = [Wire() for _ in range(6)]
        for wire in wires[::2]:
            wire.left.set()
        seconds = (0.0, 0.0, 9.0, 0.3, 9.0, 0.3)
        ends = await asyncio.gather(*map(slow, wires, seconds))
        assert ends == ["done", "done", "gone", "done", "gone", "done"]
        assert await slow(wires[0], 9.0) == "gone"

    for _ in range(2):  # each time on a loop of its own
        asyncio.run(asyncio.wait_for(main(), 5))


def test_a_client_that_leaves_closes_what_makes_the_frames() -> None:
    async def main() -> None:
        closed = asyncio.Event()
        wire = Wire()

        async def frames() -> AsyncGenerator[bytes, None]:
            try:
                yield b"one"
                wire.left.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

        with pytest.raises(ClientGone):
            await EventStream(frames())({}, wire.receive, wire.send)
        assert closed.is_set()

    asyncio.run(asyncio.wait_for(main(), 5))


def test_work_for_a_client_that_leaves_is_cancelled() -> None:
    async def main() -> None:
        wire = Wire()
        cancelled = asyncio.Event()

        async def work() -> None:
            wire.left.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

        with pytest.raises(ClientGone):
            await unless_gone(wire.receive, work())
        assert cancelled.is_set()

    asyncio.run(asyncio.wait_for(main(), 5))


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    async def main() -> None:
        wire = Wire()
        task = asyncio.create_task(unless_gone(wire.receive, asyncio.Event().wait()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(main(), 5))


def test_finished_work_is_returned() -> None:
    async def main() -> int:
        return await unless_gone(Wire().receive, asyncio.sleep(0, result=7))

    assert asyncio.run(main()) == 7
