"""Golden traces of WebSockets: exact messages, with fixed ids, clock and padding.

Each file in `sockets/` is one connection: a line `> ` is what the client sends, the lines `< ` after it are all that
the server answers. After an intended change: `FREEHOLD_RECORD=1 pytest tests/wire`, then read the difference.
"""

import asyncio
import json
import os
from pathlib import Path

import pytest

from tests.house import house
from tests.sockets import LAST, connected

TRACES = sorted((Path(__file__).parent / "sockets").glob("*.txt"))


async def play(folder: Path, sent: list[str]) -> str:
    async with house(folder) as (built, _), connected(built.app) as peer:
        lines: list[str] = []
        for message in sent:
            peer.send_raw(message.encode())
            lines.append(f"> {message}")
            while True:
                text = await peer.text()
                lines.append(f"< {text}")
                if json.loads(text)["type"] in (*LAST, "response.steer.failed"):
                    break
        return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("trace", TRACES, ids=lambda path: path.stem)
def test_trace(trace: Path, tmp_path: Path) -> None:
    expected = trace.read_text()
    sent = [line.removeprefix("> ") for line in expected.splitlines() if line.startswith("> ")]
    answer = asyncio.run(asyncio.wait_for(play(tmp_path, sent), 20))
    if os.environ.get("FREEHOLD_RECORD"):
        trace.write_text(answer)
    assert answer == expected


def test_there_are_traces() -> None:
    assert len(TRACES) >= 2
