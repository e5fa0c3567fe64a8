"""The run: an engine's deltas become events. It ends with exactly one `Ended`, whatever the engine does."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from freehold.core.deltas import Stop
from freehold.core.errors import EngineFailed, Fault
from freehold.core.events import Ended, Event
from freehold.core.ids import Mint
from freehold.core.ports import Generating
from freehold.core.prompt import Prompt
from freehold.runs.assemble import Assembler, Conclude
from freehold.runs.hosted import Alone, Hosted, Hosting


async def run(
    prompt: Prompt,
    engine: Generating,
    mint: Mint,
    cancelled: Callable[[], bool],
    conclude: Conclude,
    before: Sequence[Event] = (),
    hosted: Hosted | None = None,
) -> AsyncGenerator[Event, None]:
    """Yield the events of one run over an admitted prompt. `conclude` is given each finished thought.

    Where the run has begun already, with the events `before`, it goes on from there: the prompt says how. The calls of
    `hosted` tools are carried out between the turns of the engine; every other call ends the run.

    `cancelled` is asked after each delta; once it says yes the engine is stopped and the run ends as `cancelled`.
    A fault closes the open item as `incomplete` and ends the run as `failed`; an exception that is no Fault does the
    same, and is the `__cause__` of the error, for the caller to log. Closing the generator closes the engine's.
    """
    assembler = Assembler(mint, frozenset(one.name for one in prompt.functions if one.free), conclude)
    assembler.resume(before)
    said = Alone(assembler) if hosted is None else Hosting(hosted, assembler, mint, before)
    error: Fault
    try:
        turn = await said.start(prompt)
        while isinstance(turn, Prompt):
            stop: Stop | None = None
            async with aclosing(said.generate(engine, turn)) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Stop):
                        stop = delta
                        break
                    for event in said.take(delta):
                        yield event
                    if cancelled():
                        for event in said.abandon():
                            yield event
                        yield Ended(status="cancelled")
                        return
            if stop is None:
                raise EngineFailed("The engine ended its answer without saying why.")
            async with aclosing(said.carry_out(stop)) as events:
                async for event in events:
                    yield event
            turn = await said.then(stop)
        for event in said.finish("completed" if turn.reason == "stop" else "incomplete"):
            yield event
        yield _ended(turn)
        return
    except Fault as fault:
        error = fault
    except Exception as bug:  # noqa: BLE001  the boundary: a bug must not cut a stream without its last event
        error = EngineFailed("The server had an error while processing your request. Sorry about that!")
        error.__cause__ = bug
    for event in said.abandon():
        yield event
    yield Ended(status="failed", error=error)


def _ended(stop: Stop) -> Ended:
    if stop.reason == "length":
        return Ended(status="incomplete", usage=stop.usage, reason="max_output_tokens")
    if stop.reason == "content_filter":
        return Ended(status="incomplete", usage=stop.usage, reason="content_filter")
    return Ended(status="completed", usage=stop.usage)
