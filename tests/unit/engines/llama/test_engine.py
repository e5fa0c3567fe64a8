"""Who is sent away before an answer begins."""

import asyncio
from typing import Any, cast

import pytest

from freehold.core.errors import EngineBusy
from freehold.core.ports import Served
from freehold.core.prompt import Prompt, Turn
from freehold.engines.gate import Gate
from freehold.engines.llama.engine import LlamaEngine
from freehold.engines.llama.quiet import Quiet
from freehold.engines.llama.seat import Seat
from freehold.engines.parsers.thoughts import TAGS

SERVED = Served(name="m", context=100, max_output=50, created=0, backend="", fingerprint="", constrained=False)
ASKED = Prompt(model="m", turns=(Turn("user", "Hi."),))


class Filling:
    """A worker during whose counting somebody else takes the last place."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.counted = 0

    async def tokenize(self, *_: object) -> tuple[int, ...]:
        """Count two tokens."""
        self.counted += 1
        if self.counted == 2:
            await self._gate.acquire()
        return (1, 2)


def test_a_queue_that_fills_while_tokens_are_counted_is_full_at_once() -> None:
    async def main() -> None:
        gate = Gate(slots=1, queue=0)
        worker = Filling(gate)
        seat = Seat(SERVED, cast(Any, worker), gate, TAGS, vocabulary=10)
        engine = LlamaEngine({"m": seat}, {}, Quiet(), cast(Any, None))
        assert (await engine.admit(ASKED)).tokens == (1, 2)
        with pytest.raises(EngineBusy):
            await engine.admit(ASKED)
        assert worker.counted == 2
        with pytest.raises(EngineBusy):
            await engine.admit(ASKED)
        assert worker.counted == 2  # nothing was counted for who is sent away anyway

    asyncio.run(main())
