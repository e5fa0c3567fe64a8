"""Reading in processes of their own: what comes back, and what their limits do."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import psutil
import pytest
from msgspec import msgpack
from PIL import Image

from freehold.core.errors import EngineBusy, Fault, Invalid, Unsupported
from freehold.tools import reading
from freehold.tools.jobs import Reply
from freehold.tools.reading import BOUNDS, Bounds, Reading, can_ocr
from tests.papers import docx, encoded, pdf, picture, scan

HELLO = picture("Hello world")
SLEEP = "import time; time.sleep(60)"


def fault(work: Coroutine[Any, Any, object]) -> Fault:
    with pytest.raises(Fault) as caught:
        asyncio.run(work)
    return caught.value


def answering(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have every reading process run `program` instead of the real one."""
    monkeypatch.setattr(reading, "COMMAND", (reading.COMMAND[0], "-c", program))


def sleepers() -> list[psutil.Process]:
    """The reading processes that run SLEEP."""
    return [child for child in psutil.Process().children() if SLEEP in child.cmdline()]


def test_images_and_files_are_read() -> None:
    async def main() -> None:
        reader = Reading()
        assert (await reader.picture(HELLO, "low", "p")).startswith(b"\x89PNG")
        assert (await reader.ocr(HELLO, "auto", "p")).replace(" ", "") == "Helloworld"
        assert await reader.text("a.txt", "", b"plain", "p") == "plain"
        assert await reader.text("a.docx", "", docx("Word"), "p") == "Word"
        assert len(await reader.pages(pdf("One", "Two"), "low", "p")) == 2

    assert can_ocr()
    asyncio.run(main())


def test_a_pdf_of_pictures_is_read_by_ocr_where_that_is_wanted_and_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        reader, scanned = Reading(), scan("Hello world")
        assert (await reader.text("a.pdf", "", scanned, "p")).replace(" ", "") == "\f1\nHelloworld\n"
        assert await reader.text("a.pdf", "", scanned, "p", scans=False) == ""
        monkeypatch.setattr(reading, "can_ocr", lambda: False)
        assert await reader.text("a.pdf", "", scanned, "p") == ""

    asyncio.run(main())


def test_what_was_read_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        reader = Reading()
        first = await reader.picture(HELLO, "low", "p")
        monkeypatch.setattr(reading, "COMMAND", ("/nonexistent",))
        assert await reader.picture(HELLO, "low", "q") == first
        with pytest.raises(FileNotFoundError):
            await reader.picture(HELLO, "high", "p")

    asyncio.run(main())


def test_a_fault_names_the_place() -> None:
    broken = fault(Reading().picture(b"nothing", "auto", "input[0]"))
    assert (type(broken), broken.code, broken.param) == (Invalid, "unsupported_image_media_type", "input[0]")
    large = fault(Reading().text("a.txt", "", bytes(50_000_001), "input[1]"))
    assert (large.code, large.param) == ("file_too_large", "input[1]")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = msgpack.encode(Reply(missing="rapidocr"))
    answering(monkeypatch, f"import sys; sys.stdin.buffer.read(); sys.stdout.buffer.write({reply!r})")
    missing = fault(Reading().ocr(HELLO, "auto", "input[0]"))
    assert (type(missing), missing.code, missing.param) == (Unsupported, "unsupported_value", "input[0]")
    assert "pip install 'freehold[ocr]'" in missing.message


def test_memory_is_bounded() -> None:
    wide = encoded(Image.new("RGBA", (7000, 7000)))
    tight = Reading(bounds=dict(BOUNDS) | {"picture": Bounds(200_000_000, 20)})
    assert (fault(tight.picture(wide, "auto", "p")).code, len(wide) < 1_000_000) == ("image_parse_error", True)


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(3)",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.write(1, b'no message')",
        "import sys; sys.stdin.buffer.read(); [sys.stdout.buffer.write(bytes(1 << 24)) for _ in range(32)]",
    ],
)
def test_a_process_that_breaks_is_a_clear_fault(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, program)
    broken = fault(Reading().text("a.pdf", "", pdf("x"), "p"))
    assert (broken.code, broken.param) == ("file_parse_error", "p")
    assert "limits" in broken.message


def test_a_process_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SLEEP)
    start = time.monotonic()
    slow = fault(Reading(bounds=dict(BOUNDS) | {"picture": Bounds(10**9, 1)}).picture(HELLO, "auto", "p"))
    assert "longer than 1 seconds" in slow.message
    assert time.monotonic() - start < 10
    assert sleepers() == []


def test_a_caller_who_leaves_takes_the_process_along(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SLEEP)

    async def main() -> None:
        work = asyncio.create_task(Reading().picture(HELLO, "auto", "p"))
        async with asyncio.timeout(10):
            while not sleepers():  # noqa: ASYNC110 - what is seen is what the system shows
                await asyncio.sleep(0.01)
        work.cancel()
        await asyncio.wait([work])
        assert sleepers() == []

    asyncio.run(main())


def test_only_so_many_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, SLEEP)

    async def main() -> None:
        reader = Reading(slots=1, queue=1)
        waiting = [asyncio.create_task(reader.picture(HELLO, "auto", str(place))) for place in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await reader.picture(HELLO, "auto", "p")
        for one in waiting:
            one.cancel()
        await asyncio.wait(waiting)

    asyncio.run(main())


def test_a_process_sees_nothing_of_the_server_s_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    program = (
        "import os, sys; from msgspec import msgpack; sys.stdin.buffer.read(); "
        "os.write(1, msgpack.encode([','.join(os.environ)]))"
    )
    answering(monkeypatch, program)
    assert "SECRET" not in asyncio.run(Reading().ocr(HELLO, "auto", "p"))
