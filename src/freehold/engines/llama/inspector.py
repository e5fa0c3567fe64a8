"""The program of an inspecting process: says of one grammar after another whether an answer can be held to it.

LLGuidance takes the stack, memory and time that a grammar makes it take, and a process that runs out of one of them
dies; so it is this one. Grammars come framed on the standard input, and what is wrong with each goes back framed.
"""

import os
import re
import resource
import signal
import sys
import threading
import time
from typing import BinaryIO

from llguidance import LLMatcher, LLTokenizer

from freehold.engines.worker.frames import Unframer, frame

CPU_SECONDS = 2.0
TOO_COMPLEX = "it is too complex"
_MEMORY = 1_000_000_000
_STACK = 4 << 20  # half of what a thread usually has: what passes here has room where the answer is written
_STEPS = 64
_STEPS_SECONDS = 1.0
_CHUNK = 1 << 18


def main() -> None:
    """Set the limits, then inspect until there is nothing more to read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS knows no such limit
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    threading.stack_size(_STACK)
    inspecting = threading.Thread(target=serve, args=(sys.stdin.fileno(), sys.stdout.buffer))
    inspecting.start()
    inspecting.join()


def serve(questions: int, answers: BinaryIO) -> None:
    """Answer what comes from the descriptor `questions`; what takes more than CPU_SECONDS ends the process."""
    unframer, tokenizer = Unframer(), LLTokenizer("byte")
    while data := os.read(questions, _CHUNK):
        for grammar in unframer.feed(data):
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
            found = flaw(grammar.decode(), tokenizer)
            signal.setitimer(signal.ITIMER_PROF, 0)
            answers.write(frame(found.encode()))
            answers.flush()


def flaw(grammar: str, tokenizer: LLTokenizer) -> str:
    """Return what is wrong with a grammar, in a line; empty when nothing is. `tokenizer` is that of bytes.

    It is followed for a few steps: what grows too large, or makes each token wait, does so as soon as it is used.
    """
    matcher = LLMatcher(tokenizer, grammar, log_level=0)
    start = time.process_time()
    for step in range(_STEPS):
        mask = b"" if matcher.is_stopped() else matcher.compute_bitmask()
        if matcher.is_error():
            break
        takes = [byte for byte in range(256) if mask and mask[byte // 8] >> byte % 8 & 1]
        if not takes or not matcher.consume_token(takes[-(step % 2)]):
            break
    slow = time.process_time() - start > _STEPS_SECONDS
    return _said(matcher.get_error()) or (TOO_COMPLEX if slow else "")


def _said(error: str) -> str:
    """The library's words, without its state and its pointers into the grammar."""
    told = error.partition("\n<state>")[0]
    if told.startswith("NoExtension"):
        return "no text follows it"
    if told.startswith("panic"):
        return TOO_COMPLEX
    lines = [line.strip() for line in told.splitlines()]
    said = [line for line in lines if line and not re.match(r"^\d+ \||^\^+$", line)]
    return re.sub(r"^at \d+\(\d+\): ", "", " ".join(said)).rstrip(".")


if __name__ == "__main__":
    main()
