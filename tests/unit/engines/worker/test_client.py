"""The client against a worker that a test can have say, hang and die at will."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from freehold.core.errors import EngineBusy, EngineFailed
from freehold.core.prompt import Turn
from freehold.engines.worker.client import Answer, StartFailed, Timing, Worker, open_worker
from freehold.engines.worker.messages import Done, Failed, Generate, Open, Piece, Ready, Refused

FAKE = '''
"""A worker without a model. The text of the turns and the tokens of a request tell it what to do."""
import os, sys, time
from pathlib import Path
from freehold.engines.worker import host
from freehold.engines.worker.messages import Done, Piece, Ready, Refused

class Fake:
    def __init__(self, opening):
        self.order = Path(opening.path).read_text()
        print("loading", self.order, file=sys.stderr, flush=True)
        if self.order == "broken":
            raise ValueError("the file is broken")
        if self.order == "fatal":
            os._exit(7)
        if self.order == "slow":
            time.sleep(60)
        self.ready = Ready(
            context=64, pool=64, created=1, backend="fake", fingerprint="fp_0", temperature=1.0, top_p=1.0
        )

    def tokenize(self, turns, begun):
        if turns[0].text == "refuse":
            raise Refused("these turns are not taken")
        if turns[0].text == "defect":
            raise KeyError("oops")
        return tuple(range(len(turns[0].text + begun)))

    def generate(self, request, say):
        for number in range(request.limit):
            if number == 2 and request.tokens == (13,):
                os.abort()
            if request.tokens == (99,):
                time.sleep(60)
            if say(Piece(request.id, f"{number} ")):
                return Done(request.id, "cancelled")
            time.sleep(0.001)
        return Done(request.id, "stop", len(request.tokens), 0, request.limit)

sys.modules["fake_worker"] = sys.modules["__main__"]
host.main()
'''
QUICK = Timing(
    patience=5.0, counting=5.0, confirmation=0.2, backoff=0.01, longest_backoff=0.05, stable=60.0, closing=0.5
)


@pytest.fixture
def order(tmp_path: Path) -> Path:
    """The file that the fake reads its orders from, as a real one reads a model."""
    (tmp_path / "fake.py").write_text(FAKE)
    path = tmp_path / "order"
    path.write_text("fine")
    return path


@asynccontextmanager
async def fake(order: Path, timing: Timing = QUICK) -> AsyncGenerator[tuple[Worker, Ready], None]:
    opening = Open(
        backend="fake_worker:Fake", path=str(order), folder="", slots=4, context=None, pool=None, threads=None
    )
    async with open_worker(opening, (sys.executable, str(order.with_name("fake.py"))), timing) as worker:
        yield worker


def request(*tokens: int, limit: int = 3) -> Generate:
    return Generate(
        id=0,
        tokens=tokens,
        limit=limit,
        temperature=None,
        top_p=None,
        stop=(),
        seed=None,
        presence_penalty=0.0,
        frequency_penalty=0.0,
    )


async def whole(answer: Answer) -> tuple[str, Done | Failed]:
    text = ""
    while True:
        for message in await answer.take():
            if isinstance(message, Piece):
                text += message.text
            else:
                return text, message


def tell(order: Path, what: str) -> None:
    """Say what the next process is to do."""
    order.write_text(what)


async def trouble(worker: Worker) -> bool:
    """Say whether the worker is down."""
    try:
        await worker.up()
    except EngineFailed:
        return True
    return False


def folders(inside: Path) -> int:
    """Count the folders of workers."""
    return len(list(inside.glob("freehold-*")))


def nothing() -> None:
    """For answers whose end does not matter."""


def test_answers_and_counts_side_by_side(order: Path) -> None:
    async def main() -> None:
        async with fake(order) as (worker, ready):
            assert ready.backend == "fake"
            ends: list[int] = []
            answers = [
                worker.start(request(1, limit=limit), lambda limit=limit: ends.append(limit)) for limit in (3, 1, 2)
            ]
            texts = [text for text, _ in await asyncio.gather(*map(whole, answers))]
            assert texts == ["0 1 2 ", "0 ", "0 1 "]
            assert sorted(ends) == [1, 2, 3]
            assert await worker.tokenize((Turn("user", "four"),)) == (0, 1, 2, 3)
            assert await worker.tokenize((Turn("user", "four"),), "!") == (0, 1, 2, 3, 4)

    asyncio.run(main())


def test_refusals_and_defects_concern_one_request(order: Path) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            with pytest.raises(Refused, match="these turns are not taken"):
                await worker.tokenize((Turn("user", "refuse"),))
            with pytest.raises(EngineFailed, match="KeyError: 'oops'"):
                await worker.tokenize((Turn("user", "defect"),))
            assert await worker.tokenize((Turn("user", "a"),)) == (0,)

    asyncio.run(main())


def test_a_closed_answer_is_cancelled_and_confirmed(order: Path) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            ended = asyncio.Event()
            answer = worker.start(request(1, limit=100_000), ended.set)
            await answer.take()
            answer.close()
            assert not ended.is_set()
            await asyncio.wait_for(ended.wait(), 0.1)

    asyncio.run(main())


def test_a_cancel_that_is_never_confirmed_is_given_up(order: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            ended = asyncio.Event()
            worker.start(request(99), ended.set).close()
            await asyncio.wait_for(ended.wait(), 2.0)

    asyncio.run(main())
    assert "has not confirmed" in caplog.text


def test_a_crash_fails_what_runs_and_the_next_request_works(order: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            first, ends = worker.pid, []
            bystander = worker.start(request(1, limit=100_000), lambda: ends.append("bystander"))
            crasher = worker.start(request(13), lambda: ends.append("crasher"))
            text, end = await whole(crasher)
            assert text == "0 1 "
            assert end == Failed(end.id, "The engine's process ended in the middle of the request.")
            assert isinstance((await whole(bystander))[1], Failed)
            assert sorted(ends) == ["bystander", "crasher"]
            await worker.up()
            assert worker.pid != first
            assert (await whole(worker.start(request(1), nothing)))[0] == "0 1 2 "

    asyncio.run(main())
    assert "died of signal 6" in caplog.text


def test_while_it_cannot_be_restarted_requests_fail_with_the_reason(order: Path) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            tell(order, "broken")
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            with pytest.raises(EngineFailed, match=r"could not be restarted: the file is broken"):
                for _ in range(500):
                    await worker.up()
                    await asyncio.sleep(0.01)
            tell(order, "fine")
            for _ in range(500):
                if not await trouble(worker):
                    break
                await asyncio.sleep(0.02)
            assert await worker.tokenize((Turn("user", "ab"),)) == (0, 1)

    asyncio.run(main())


def test_a_request_does_not_wait_long_for_a_restart(order: Path) -> None:
    async def main() -> None:
        timing = Timing(patience=0.05, backoff=60.0, longest_backoff=60.0, closing=0.5)
        async with fake(order, timing) as (worker, _):
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            _, end = await whole(worker.start(request(1, limit=100_000), nothing))
            assert isinstance(end, Failed)
            with pytest.raises(EngineBusy) as busy:
                await worker.up()
            assert busy.value.retry_after > 0
            late = worker.start(request(1), nothing)
            assert isinstance((await whole(late))[1], Failed)

    asyncio.run(main())


@pytest.mark.parametrize(("how", "reason"), [("broken", "the file is broken"), ("fatal", "it exited with status 7")])
def test_a_start_that_fails_says_why(order: Path, how: str, reason: str) -> None:
    async def main() -> None:
        tell(order, how)
        with pytest.raises(StartFailed) as failure:
            async with fake(order):
                pass
        assert failure.value.reason == reason
        assert f"loading {how}" in failure.value.lines

    asyncio.run(main())


def test_a_program_that_is_not_there_fails_the_start(order: Path) -> None:
    async def main() -> None:
        opening = Open(backend="", path="", folder="", slots=1, context=None, pool=None, threads=None)
        with pytest.raises(StartFailed, match="could not be started"):
            async with open_worker(opening, (str(order.with_name("nowhere")),), QUICK):
                pass

    asyncio.run(main())


def test_a_start_that_is_cancelled_leaves_no_process(order: Path) -> None:
    async def main() -> None:
        tell(order, "slow")
        before = set(psutil.Process().children())
        task = asyncio.create_task(enter(order))
        for _ in range(500):
            if set(psutil.Process().children()) - before:
                break
            await asyncio.sleep(0.01)
        new = set(psutil.Process().children()) - before
        task.cancel()
        await asyncio.wait([task])
        assert new
        assert not [child for child in new if child.is_running()]

    async def enter(order: Path) -> None:
        async with fake(order):
            pass

    asyncio.run(main())


def test_closing_ends_the_process_and_removes_its_folder(order: Path, tmp_path: Path, monkeypatch) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            pid = worker.pid
            assert folders(tmp_path) == 1
        assert pid is not None
        assert not psutil.pid_exists(pid)
        assert folders(tmp_path) == 0

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asyncio.run(main())


def test_what_it_writes_to_stderr_goes_to_the_log(order: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with fake(order):
            pass

    caplog.set_level(logging.DEBUG, "freehold.engines.worker.child")
    asyncio.run(main())
    assert "loading fine" in caplog.text


def test_the_worker_dies_with_a_parent_that_is_killed(order: Path) -> None:
    program = f"""
        import asyncio, sys
        from freehold.engines.worker.client import open_worker
        from freehold.engines.worker.messages import Open

        async def main():
            opening = Open(backend="fake_worker:Fake", path={str(order)!r}, folder="", slots=1, context=None, pool=None,
                           threads=None)
            async with open_worker(opening, (sys.executable, {str(order.with_name("fake.py"))!r})) as (worker, _):
                print(worker.pid, flush=True)
                await asyncio.sleep(60)

        asyncio.run(main())
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(order.parent)},
    ) as parent:
        assert parent.stdout is not None
        worker = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
        deadline = time.monotonic() + 5
        while _lives(worker) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not _lives(worker)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_worker_that_stands_still_loses_nothing(order: Path) -> None:
    async def main() -> None:
        async with fake(order) as (worker, _):
            answer = asyncio.create_task(whole(worker.start(request(1, limit=100), nothing)))
            worker.stand_still()
            await asyncio.sleep(0.5)
            assert not answer.done()
            worker.go_on()
            text, end = await answer
            assert text.split() == [str(number) for number in range(100)]
            assert isinstance(end, Done)
            worker.stand_still()  # ended while it stands still, it ends in order

    asyncio.run(main())
