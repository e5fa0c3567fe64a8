"""Grammars that kill the process that inspects them, and processes that are no help."""

import asyncio
import json
import sys
import time
from typing import Any

import pytest

from freehold.core.errors import EngineBusy
from freehold.engines.llama.inspection import LONGEST, TOO_COMPLEX, Inspection, open_inspection

HEAD = "%llguidance {}\n"
GOOD = HEAD + 'start: "a"'
SLEEPS = (sys.executable, "-c", "import time; time.sleep(60)")
LEAVES = (sys.executable, "-c", "")


def chain(length: int) -> str:
    """Rules, each of which names the next: it takes the stack of whatever reads them."""
    rules = [f'r{i}: "a" r{i + 1}' for i in range(length)]
    return HEAD + "\n".join(["start: r0", *rules, f'r{length}: "b"'])


def references(length: int) -> str:
    """The same as a JSON Schema."""

    def closed(**properties: Any) -> dict[str, Any]:
        return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}

    named = {f"d{i}": closed(x={"$ref": f"#/$defs/d{i + 1}"}) for i in range(length)}
    schema = {**closed(x={"$ref": "#/$defs/d0"}), "$defs": {**named, f"d{length}": {"type": "string"}}}
    return f"{HEAD}start: %json {json.dumps(schema)}"


def long_array(least: int) -> str:
    schema = {"type": "array", "items": {"type": "string"}, "maxItems": least}
    return f"{HEAD}start: %json {json.dumps(schema)}"


async def flaws(inspection: Inspection, *grammars: str) -> list[str]:
    return list(await asyncio.gather(*map(inspection.flaw, grammars)))


def test_a_grammar_is_good_or_its_flaw_is_told() -> None:
    async def main() -> None:
        async with open_inspection() as inspection:
            assert await inspection.flaw(GOOD) == ""
            assert "unknown name" in await inspection.flaw(HEAD + 'start: "é" nothing')
            assert await inspection.flaw(HEAD + f'start: "{"x" * LONGEST}"') == TOO_COMPLEX

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize(
    "grammar",
    [pytest.param(chain(4_000), id="stack"), pytest.param(references(1_500), id="references")],
)
def test_what_kills_an_inspecting_process_is_refused_and_nothing_else_is(grammar: str) -> None:
    async def main() -> None:
        async with open_inspection() as inspection:
            others = [f'{HEAD}start: "{number}"' for number in range(6)]
            assert await flaws(inspection, *others[:3], grammar, *others[3:]) == ["", "", "", TOO_COMPLEX, "", "", ""]
            assert await flaws(inspection, grammar, GOOD) == [TOO_COMPLEX, ""]

    asyncio.run(asyncio.wait_for(main(), 120))


def test_time_and_memory_are_bounded() -> None:
    async def main() -> None:
        async with open_inspection() as inspection:
            assert await inspection.flaw(long_array(10_000_000)) == TOO_COMPLEX
            assert await inspection.flaw(GOOD) == ""

    asyncio.run(asyncio.wait_for(main(), 120))


@pytest.mark.parametrize("command", [SLEEPS, LEAVES])
def test_a_process_that_does_not_answer_is_not_waited_for(command: tuple[str, ...]) -> None:
    async def main() -> None:
        async with open_inspection(command, seconds=0.5) as inspection:
            assert await inspection.flaw(GOOD) == TOO_COMPLEX

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_is_known_needs_no_process() -> None:
    async def main() -> None:
        async with open_inspection() as inspection:
            assert await inspection.flaw(GOOD) == ""
            await inspection.close()
            started = time.monotonic()
            assert await flaws(inspection, *[GOOD] * 1_000) == [""] * 1_000
            assert not inspection._idle and time.monotonic() - started < 5

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_queue_has_an_end() -> None:
    async def main() -> None:
        async with open_inspection(SLEEPS, slots=1, queue=1, seconds=1) as inspection:
            waiting = asyncio.gather(*(inspection.flaw(f'{GOOD} "{number}"') for number in range(2)))
            await asyncio.sleep(0.1)
            with pytest.raises(EngineBusy, match="wait to be checked"):
                await inspection.flaw(GOOD)
            assert await waiting == [TOO_COMPLEX, TOO_COMPLEX]

    asyncio.run(asyncio.wait_for(main(), 60))


def test_a_caller_that_leaves_takes_its_process_with_it() -> None:
    async def main() -> None:
        async with open_inspection(SLEEPS, slots=1) as inspection:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await inspection.flaw(GOOD)
            assert not inspection._idle

    asyncio.run(asyncio.wait_for(main(), 60))
