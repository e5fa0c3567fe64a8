"""The program of a reading process: one job from stdin, one reply to stdout, within limits that it sets itself.

Run as `python -m freehold.tools.worker MEMORY SECONDS`: bytes of address space, and seconds that each core may work.
"""

import os
import resource
import sys

from msgspec import msgpack

from freehold.core.errors import Invalid
from freehold.tools import documents, images, ocr
from freehold.tools.jobs import Job, Reply

_LARGEST_FILE = 64_000_000


def main() -> None:
    """Set the limits, read the job, answer it."""
    _limit(int(sys.argv[1]), int(sys.argv[2]))
    # Libraries may print: what they say must not stand in the reply.
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    reply = answer(msgpack.decode(sys.stdin.buffer.read(), type=Job))
    with replies:
        replies.write(msgpack.encode(reply))


def answer(job: Job) -> Reply:
    """Do a job; what is wrong with its data, and what is not installed, is said in the reply."""
    try:
        match job.kind:
            case "picture":
                return Reply(pictures=(images.bounded(job.data, job.detail),))
            case "ocr":
                return Reply(ocr.text_in(images.bounded(job.data, job.detail)))
            case "document":
                return Reply(documents.parsed_text(job.data, job.type))
            case "pages":
                return Reply(pictures=documents.page_images(job.data, job.detail))
            case "scan":
                pictures = documents.page_images(job.data, job.detail)
                return Reply(documents.paged(enumerate(ocr.texts_in(pictures), 1)))
    except Invalid as fault:
        return Reply(refusal=fault.message, code=fault.code)
    except ModuleNotFoundError as error:
        return Reply(missing=error.name or str(error))


def _limit(memory: int, seconds: int) -> None:
    """Bound what the process may take. A system that knows no such limit (macOS has none of memory) goes without it."""
    seconds *= os.cpu_count() or 1
    wanted = {"RLIMIT_AS": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": _LARGEST_FILE, "RLIMIT_CORE": 0}
    for name, value in wanted.items():
        if name != "RLIMIT_AS" or sys.platform == "linux":
            resource.setrlimit(getattr(resource, name), (value, value))


if __name__ == "__main__":
    main()
