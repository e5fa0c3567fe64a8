"""Golden wire traces: exact bytes of answers and streams, with fixed ids, clock and padding.

Each file in `traces/` is a request (its first line: method and path; then its JSON body; then a line `---`) followed by
the exact answer. After an intended change: `FREEHOLD_RECORD=1 pytest tests/wire`, then read the difference.
"""

import asyncio
import os
from pathlib import Path

import pytest

from tests.house import house

TRACES = sorted((Path(__file__).parent / "traces").glob("*.txt"))


async def play(folder: Path, requests: list[str]) -> str:
    async with house(folder) as (_, client):
        answer = ""
        for request in requests:
            line, _, body = request.strip().partition("\n")
            method, path = line.split()
            response = await client.request(
                method, "http://test" + path, content=body, headers={"content-type": "application/json"}
            )
            answer = f"{response.status_code} {response.headers['content-type']}\n{response.text}"
        return answer


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_trace(trace: Path, tmp_path: Path) -> None:
    *requests, expected = trace.read_text().split("\n---\n")
    answer = asyncio.run(play(tmp_path, requests))
    if os.environ.get("FREEHOLD_RECORD"):
        trace.write_text("\n---\n".join((*requests, answer)))
    assert answer == expected


def test_there_are_traces() -> None:
    assert len(TRACES) >= 10
