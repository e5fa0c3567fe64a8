"""Golden wire traces: exact bytes of answers and streams, with fixed ids, clock and padding.

Each file in `traces/` is a request (its first line: method and path; then its body, JSON or a form; then a line `---`)
followed by the exact answer. A path followed by `until STATUS` is asked for until that is the object's status. After an
intended change: `FREEHOLD_RECORD=1 pytest tests/wire`, then read the difference.

Where a trace `NAME_stream` asks the same as `NAME`, it folds to that answer.
"""

import asyncio
import json
import os
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.chunk_checker import check_chunks
from tests.house import house, working
from tests.sse_checker import Json, check_stream, read_events, read_frames

TRACES = sorted((Path(__file__).parent / "traces").glob("*.txt"))


def plain(trace: Path) -> Path:
    """The trace of the same name that does not stream."""
    return trace.with_stem(trace.stem.removesuffix("_stream"))


def asked(trace: Path) -> list[tuple[str, Json]]:
    """The requests of a trace, apart from whether and how they stream."""
    found: list[tuple[str, Json]] = []
    for request in trace.read_text().split("\n---\n")[:-1]:
        line, _, body = request.strip().partition("\n")
        given = {"form": body} if body.startswith("--") else json.loads(body or "{}")
        found.append((line, {key: given[key] for key in given if key not in ("stream", "stream_options")}))
    return found


LEGACY = "completions_"
RESTING = {
    "background_create",
    "background_cancel_queued",
    "background_cancel_queued_stream",
    "background_previous",
    "batches_cancel",
    "batches_create",
    "batches_list",
    "batches_list_cursor",
    "vector_stores_create",
    "vector_store_files_create",
    "vector_store_batches_create",
    "vector_store_batches_cancel",
}
"""The traces that are played while no worker works."""
STREAMS = [
    path
    for path in TRACES
    if "\n200 text/event-stream" in (text := path.read_text())
    and "starting_after" not in text
    and not path.stem.startswith(LEGACY)
]
TWINS = [path for path in STREAMS if plain(path) in set(TRACES) - {path} and asked(plain(path)) == asked(path)]


async def play(folder: Path, requests: list[str], worker: bool) -> str:
    async with house(folder) as (built, client), working(built) if worker else nullcontext():
        answer = ""
        for request in requests:
            line, _, body = request.strip().partition("\n")
            method, path, *until = line.split()
            kind = "application/json"
            if body.startswith("--"):
                kind = "multipart/form-data; boundary=" + body.partition("\n")[0].removeprefix("--")
                body = body.replace("\n", "\r\n")
            headers = {"content-type": kind}
            response = await client.request(method, "http://test" + path, content=body, headers=headers)
            while until and f'"status":"{until[-1]}"' not in response.text:
                await asyncio.sleep(0.01)
                response = await client.request(method, "http://test" + path, headers=headers)
            answer = f"{response.status_code} {response.headers['content-type']}\n{response.text}"
        return answer


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_trace(trace: Path, tmp_path: Path) -> None:
    *requests, expected = trace.read_text().split("\n---\n")
    answer = asyncio.run(play(tmp_path, requests, trace.stem not in RESTING))
    if os.environ.get("FREEHOLD_RECORD"):
        trace.write_text("\n---\n".join((*requests, answer)))
    assert answer == expected


def folded(trace: Path) -> Json:
    """Check the stream of a trace and return what it folds to."""
    *_, request, answer = trace.read_text().split("\n---\n")
    line, _, body = request.strip().partition("\n")
    stream = answer.partition("\n")[2].encode()
    if "/chat/" in line:
        return check_chunks(stream, json.loads(body).get("n", 1))
    return check_stream(read_events(stream))


@pytest.mark.parametrize("trace", STREAMS, ids=lambda path: path.stem)
def test_every_stream_follows_the_grammar(trace: Path) -> None:
    assert folded(trace)


@pytest.mark.parametrize("trace", TWINS, ids=lambda path: path.stem)
def test_a_stream_folds_to_the_answer_that_is_not_streamed(trace: Path) -> None:
    whole = plain(trace).read_text().split("\n---\n")[-1]
    answer, stream = json.loads(whole.partition("\n")[2]), folded(trace)
    if "usage" not in stream:
        del answer["usage"]
    assert stream == answer


def test_a_legacy_stream_folds_to_its_text() -> None:
    *_, answer = (Path(__file__).parent / "traces" / f"{LEGACY}stream.txt").read_text().split("\n---\n")
    *frames, done = [data for _, data in read_frames(answer.partition("\n")[2].encode())]
    chunks = [json.loads(frame) for frame in frames]
    assert done == "[DONE]"
    assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == "Once upon a time"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [None] * 4 + ["stop"]
    assert chunks[-1]["usage"]["total_tokens"] == 8


def test_there_are_traces() -> None:
    assert len(TRACES) >= 100
    assert len(TWINS) >= 12
