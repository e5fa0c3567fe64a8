"""The lines of the files that a batch makes."""

import json

import pytest

from freehold.core.deltas import Usage
from freehold.core.errors import EngineFailed, Invalid
from freehold.surfaces.batches import answered, refused, unanswered, usage_in, usage_of


def test_an_answer() -> None:
    assert answered("batch_req_1", "req_1", 'a"b', b'{"id":"resp_1"}') == (
        b'{"id":"batch_req_1","custom_id":"a\\"b","response":{"status_code":200,"request_id":"req_1",'
        b'"body":{"id":"resp_1"}},"error":null}'
    )


@pytest.mark.parametrize(("fault", "status"), [(Invalid("m", "c", "p"), 400), (EngineFailed("m"), 500)])
def test_a_fault_is_what_it_would_be_over_http(fault: Invalid, status: int) -> None:
    line = json.loads(refused("batch_req_1", "req_1", "a", fault))
    assert (line["custom_id"], line["error"]) == ("a", None)
    assert line["response"]["status_code"] == status
    body = line["response"]["body"]["error"]
    assert (body["message"], body["code"], body["param"]) == ("m", fault.code, fault.param)


@pytest.mark.parametrize("code", ["batch_expired", "batch_cancelled", "batch_failed"])
def test_a_request_that_was_not_executed(code: str) -> None:
    line = json.loads(unanswered("batch_req_1", "a", code))
    assert (line["custom_id"], line["response"], line["error"]["code"]) == ("a", None, code)


@pytest.mark.parametrize(
    "body",
    [
        {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 3},
            "output_tokens": 7,
            "output_tokens_details": {"reasoning_tokens": 2},
        },
        {
            "prompt_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens": 7,
            "completion_tokens_details": {"reasoning_tokens": 2},
        },
    ],
)
def test_the_usage_of_every_surface_is_read(body: dict[str, object]) -> None:
    line = answered("batch_req_1", "req_1", "a", json.dumps({"usage": body}).encode())
    assert usage_in(line) == Usage(input=5, cached=3, output=7, reasoning=2)


def test_an_answer_without_usage_costs_nothing() -> None:
    assert usage_in(answered("i", "r", "a", b"{}")) == usage_in(answered("i", "r", "a", b'{"usage":null}')) == Usage()


def test_usage_adds_up() -> None:
    told = usage_of(Usage(input=5, cached=3, output=7, reasoning=2))
    assert (told.input_tokens, told.input_tokens_details.cached_tokens) == (5, 3)
    assert (told.output_tokens, told.output_tokens_details.reasoning_tokens, told.total_tokens) == (7, 2, 12)
