"""Reading what callers send: each picture and document in a process of its own, bounded in memory and time.

Files from strangers are never parsed in the server's process.
"""

import asyncio
import logging
import sys
from collections.abc import Mapping
from importlib.util import find_spec

from msgspec import DecodeError, Struct, msgpack

from freehold.core.errors import EngineBusy, Invalid, Unsupported
from freehold.tools import documents
from freehold.tools.jobs import Job, Kind, Reply
from freehold.tools.replies import Replies

COMMAND = (sys.executable, "-P", "-X", "utf8", "-m", "freehold.tools.worker")
_LARGEST_REPLY = 256_000_000
_CHUNK = 1 << 16
_log = logging.getLogger(__name__)


class Bounds(Struct, frozen=True):
    """What one job may take: bytes of address space, and seconds."""

    memory: int
    seconds: int


BOUNDS: Mapping[Kind, Bounds] = {
    "picture": Bounds(1_500_000_000, 20),
    "ocr": Bounds(4_000_000_000, 120),
    "document": Bounds(2_000_000_000, 30),
    "pages": Bounds(2_000_000_000, 60),
    "scan": Bounds(4_000_000_000, 400),
}
EXTRAS: Mapping[Kind, str] = {
    "picture": "vision",
    "ocr": "ocr",
    "document": "documents",
    "pages": "documents",
    "scan": "ocr",
}


def can_ocr() -> bool:
    """Whether the OCR is installed."""
    return all(find_spec(package) is not None for package in ("rapidocr", "onnxruntime", "PIL"))


class Reading:
    """Has pictures and documents read, a few at a time."""

    def __init__(self, slots: int = 2, queue: int = 64, bounds: Mapping[Kind, Bounds] = BOUNDS) -> None:
        """`slots` jobs are done at once, `queue` wait."""
        self._places = asyncio.Semaphore(slots)
        self._most = slots + queue
        self._bounds = bounds
        self._jobs = 0
        self._replies = Replies()

    async def picture(self, data: bytes, detail: str, param: str) -> bytes:
        """Return an image as a model takes it: a PNG or JPEG file, no larger than `detail` allows.

        Raises Invalid that names `param` for one that is too large, damaged or takes too long, Unsupported when the
        extra that reads it is not installed, EngineBusy when too many jobs wait; so do the others.
        """
        return (await self._do(Job("picture", data, detail), param)).pictures[0]

    async def ocr(self, data: bytes, detail: str, param: str) -> str:
        """Return the text in an image."""
        return (await self._do(Job("ocr", data, detail), param)).text

    async def text(self, name: str, told: str, data: bytes, param: str, scans: bool = True) -> str:
        """Return the text of a file, of which the name and the media type `told` may be empty.

        With `scans`, that of a PDF of pictures is read by OCR, where it is installed; else there is none.
        """
        if len(data) > documents.MOST_BYTES:
            raise Invalid(f"The file is larger than {documents.MOST_BYTES / 1e6:g} MB.", "file_too_large", param)
        kind = documents.parsed_type(name, told, data)
        if kind is None:
            return documents.plain_text(data, param)
        text = (await self._do(Job("document", data, type=kind), param)).text
        if scans and kind == documents.PDF and not documents.without_pages(text) and can_ocr():
            return (await self._do(Job("scan", data, "original"), param)).text
        return text

    async def pages(self, data: bytes, detail: str, param: str) -> tuple[bytes, ...]:
        """Return the pages of a PDF as images."""
        return (await self._do(Job("pages", data, detail), param)).pictures

    async def _do(self, job: Job, param: str) -> Reply:
        known = self._replies.find(job)
        if known is not None:
            return known
        if self._jobs >= self._most:
            raise EngineBusy("Too many images and files wait to be read. Please retry your request.")
        self._jobs += 1
        try:
            async with self._places:
                reply = await _run(job, self._bounds[job.kind])
        except _Exceeded as exceeded:
            what = "file" if job.kind in ("document", "pages", "scan") else "image"
            message = f"The {what} could not be read within this server's limits: {exceeded}."
            raise Invalid(message, f"{what}_parse_error", param) from None
        finally:
            self._jobs -= 1
        if reply.missing:
            extra = EXTRAS[job.kind]
            raise Unsupported(
                f"To read this, the server needs its extra '{extra}': pip install 'freehold[{extra}]' "
                f"({reply.missing} is not installed).",
                param,
                "unsupported_value",
            )
        if reply.refusal:
            raise Invalid(reply.refusal, reply.code, param)
        self._replies.keep(job, reply)
        return reply


class _Exceeded(Exception):
    """A process did not come to its end."""


async def _run(job: Job, bounds: Bounds) -> Reply:
    """Run one process for one job; it is gone when this returns, however that is."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        str(bounds.memory),
        str(bounds.seconds),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"MALLOC_ARENA_MAX": "2"},  # nothing of the server's own; and many arenas would eat the address space
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(bounds.seconds):
            data = await _talk(process, msgpack.encode(job))
    except TimeoutError:
        raise _Exceeded(f"it took longer than {bounds.seconds} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # its pipes are closed at their ends
    try:
        return msgpack.decode(data, type=Reply)
    except DecodeError:
        _log.warning("a reading process (%s) ended with %s", job.kind, process.returncode)
        raise _Exceeded("it needs too much memory, or breaks the program that reads it") from None


async def _talk(process: asyncio.subprocess.Process, job: bytes) -> bytes:
    """Write the job and return the reply; empty when the process broke off."""
    reply = bytearray()
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a reading process has no pipes")
    try:
        process.stdin.write(job)
        await process.stdin.drain()
        process.stdin.close()
        while chunk := await process.stdout.read(_CHUNK):
            reply += chunk
            if len(reply) > _LARGEST_REPLY:
                return b""
    except (BrokenPipeError, ConnectionResetError):
        return b""
    return bytes(reply)
