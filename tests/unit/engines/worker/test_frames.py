"""Frames: whatever way the bytes arrive in, the same payloads come out."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.engines.worker.frames import Unframer, frame


@given(st.lists(st.binary(max_size=300)), st.integers(min_value=1, max_value=700))
def test_payloads_survive_any_cutting(payloads: list[bytes], size: int) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    unframer, out = Unframer(), []
    for start in range(0, len(stream), size):
        out += unframer.feed(stream[start : start + size])
    assert out == payloads


def test_a_large_payload_comes_in_many_pieces() -> None:
    payload, unframer = bytes(range(256)) * 4096, Unframer()
    stream = frame(payload) + frame(b"x")
    out = [one for start in range(0, len(stream), 1000) for one in unframer.feed(stream[start : start + 1000])]
    assert out == [payload, b"x"]
