"""Usage in its dialects."""

import pytest
from msgspec import convert

from freehold.core.deltas import Usage
from freehold.engines.remote.counts import Counts
from freehold.engines.remote.wire import Chunk


@pytest.mark.parametrize(
    ("chunk", "usage"),
    [
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                    "completion_tokens_details": {"reasoning_tokens": 2, "accepted_prediction_tokens": 1},
                }
            },
            Usage(input=9, cached=4, output=5, reasoning=2, written=3, accepted=1),
        ),
        (
            {"usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_tokens_details": None}},
            Usage(input=9, output=5, reasoning=3, written=0),
        ),
        (
            {
                "usage": {
                    "prompt_tokens": 9,
                    "completion_tokens": 5,
                    "prompt_cache_hit_tokens": 6,
                    "reasoning_tokens": 0,
                }
            },
            Usage(input=9, cached=6, output=5),
        ),
        ({"timings": {"prompt_n": 3, "cache_n": 6, "predicted_n": 2}}, Usage(input=9, cached=6, output=2, reasoning=2)),
        ({"prompt_eval_count": 9, "eval_count": 5}, Usage(input=9, output=5, reasoning=3, written=0)),
        ({}, Usage(written=0)),
    ],
)
def test_is_read(chunk: dict[str, object], usage: Usage) -> None:
    counts = Counts()
    counts.take(convert(chunk, Chunk))
    assert counts.usage(thoughts=3) == usage
