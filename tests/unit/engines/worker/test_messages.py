"""The contract: every message survives the wire, and nothing else passes for one."""

import msgspec
import pytest

from freehold.core.prompt import Turn
from freehold.engines.worker.messages import (
    Cancel,
    Done,
    Failed,
    FromWorker,
    Generate,
    Open,
    Piece,
    Ready,
    Shutdown,
    Tokenize,
    Tokens,
    ToWorker,
    from_worker,
    to_worker,
)

OPEN = Open(backend="a:B", path="/m.gguf", folder="/tmp/x", slots=4, context=None, pool=512, threads=None)  # noqa: S108
GENERATE = Generate(
    id=3,
    tokens=(1, 2),
    limit=9,
    temperature=None,
    top_p=0.5,
    stop=("\n",),
    seed=-1,
    presence_penalty=0.5,
    frequency_penalty=-0.5,
)
READY = Ready(context=1, pool=2, created=3, backend="b", fingerprint="fp_1", temperature=0.7, top_p=0.9)


@pytest.mark.parametrize("message", [OPEN, Tokenize(1, (Turn("user", "hé"),)), GENERATE, Cancel(3), Shutdown()])
def test_what_a_worker_is_told_arrives(message: ToWorker) -> None:
    assert to_worker().decode(msgspec.msgpack.encode(message)) == message


@pytest.mark.parametrize(
    "message", [READY, Tokens(1, (5, 6)), Piece(2, "né"), Done(2, "stop", 3, 2, 1), Failed(2, "no", refused=True)]
)
def test_what_a_worker_says_arrives(message: FromWorker) -> None:
    assert from_worker().decode(msgspec.msgpack.encode(message)) == message


def test_a_message_for_the_other_side_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        from_worker().decode(msgspec.msgpack.encode(Cancel(3)))
