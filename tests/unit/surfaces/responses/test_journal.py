"""The journal read back: from any prefix of a stream, the rest follows without a gap."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from freehold.core.deltas import Usage
from freehold.core.errors import EngineFailed
from freehold.core.events import Closed, Ended, Event, Grew, Opened
from freehold.core.items import FunctionCall, Logprob, Message
from freehold.surfaces.responses.journal import events, without_obfuscation
from freehold.surfaces.responses.objects import Response, ResponseUsage, frame
from freehold.surfaces.responses.project import ResponseProjection

TRACES = Path(__file__).parents[3] / "wire" / "traces"
LAST = (b"event: response.completed", b"event: response.incomplete", b"event: response.failed")


def recorded() -> Iterator[tuple[str, list[bytes]]]:
    """The frames of every whole Responses stream among the golden traces."""
    for path in sorted(TRACES.glob("*.txt")):
        answer = path.read_text().split("\n---\n")[-1].partition("\n")[2].encode()
        if answer.startswith(b"event: response.created\n"):
            yield path.stem, [one + b"\n\n" for one in answer.removesuffix(b"\n\n").split(b"\n\n")]


STREAMS = dict(recorded())


class Told(msgspec.Struct):
    """What the first and the last event of a stream carry."""

    response: Response


def carried(one: bytes) -> Response:
    return msgspec.json.decode(one.partition(b"\ndata: ")[2], type=Told).response


def counted(usage: ResponseUsage | None) -> Usage:
    if usage is None:
        return Usage()
    cached, reasoning = usage.input_tokens_details.cached_tokens, usage.output_tokens_details.reasoning_tokens
    return Usage(input=usage.input_tokens, cached=cached, output=usage.output_tokens, reasoning=reasoning)


def end(final: Response) -> Ended:
    """The event that a final response was made of."""
    reason = None if final.incomplete_details is None else final.incomplete_details.reason
    error = None if final.error is None else EngineFailed(final.error.message)
    assert final.status not in ("queued", "in_progress")
    return Ended(status=final.status, usage=counted(final.usage), reason=reason, error=error)  # type: ignore[arg-type]


def projection(frames: list[bytes]) -> ResponseProjection:
    """A projection that has started as the stream did."""
    final = carried(frames[-1])
    pad = "0123456789abcdef" if b'"obfuscation"' in b"".join(frames) else None
    return ResponseProjection(carried(frames[0]), lambda: final.completed_at or 0.0, pad)


def pushed(by: ResponseProjection, told: list[Event]) -> list[bytes]:
    return [frame(one) for event in told for one in by.push(event)]


def test_there_are_streams_of_every_kind() -> None:
    names = b"".join(b"".join(frames) for frames in STREAMS.values())
    assert len(STREAMS) >= 15
    for kind in (b"output_text", b"refusal", b"reasoning_text", b"function_call_arguments", b"custom_tool_call_input"):
        assert b"event: response." + kind + b".delta" in names


@pytest.mark.parametrize("name", STREAMS)
def test_every_prefix_of_whole_groups_goes_on_as_the_stream_did(name: str) -> None:
    frames = STREAMS[name]
    told = list(events(frames))
    whole = [*told, end(carried(frames[-1]))]
    for count in range(len(told) + 1):
        first = projection(frames)
        journal = [*map(frame, first.start()), *pushed(first, told[:count])]
        assert frames[: len(journal)] == journal
        again = projection(frames)
        assert [*map(frame, again.start()), *pushed(again, list(events(journal)))] == journal
        assert pushed(again, whole[count:]) == frames[len(journal) :]
        assert again.result() == carried(frames[-1])


@pytest.mark.parametrize("name", STREAMS)
def test_a_frame_without_its_padding_is_otherwise_the_same(name: str) -> None:
    for one in STREAMS[name]:
        bare = without_obfuscation(one)
        assert b'"obfuscation"' not in bare
        assert bare == one or one.startswith(bare[:-3] + b',"obfuscation":"')
    assert not any(one.startswith(LAST) and without_obfuscation(one) != one for one in STREAMS[name])


def test_what_is_read_is_what_was_told() -> None:
    message = Message(id="msg_1", role="assistant", status="in_progress", content=())
    call = FunctionCall(id="fc_1", call_id="call_1", name="add", arguments="{}")
    told: list[Event] = [
        Opened(0, message),
        Grew(0, "é", logprobs=(Logprob("é", (195, 169), -0.5),)),
        Grew(0, "No.", "refusal"),
        Closed(0, msgspec.structs.replace(message, status="completed")),
        Opened(1, msgspec.structs.replace(call, status="in_progress", arguments="")),
        Grew(1, "{}", "arguments"),
        Closed(1, call),
    ]
    by = projection(STREAMS["responses_stream"])
    assert list(events([*map(frame, by.start()), *pushed(by, told)])) == told
