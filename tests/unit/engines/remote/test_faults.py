"""What upstreams refuse, in our words."""

import json

import pytest

from freehold.core.errors import EngineBusy, Fault, Invalid, NotFound, RemoteFailed
from freehold.engines.remote.faults import refused, told_inside


def fault(status: int, body: object) -> Fault:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return refused(status, data, 7.0, "http://gpu/v1")


@pytest.mark.parametrize("body", [{"error": {"message": "no"}}, {"message": "no"}, {"detail": "no"}, {"error": "no"}])
def test_a_mistake_of_the_caller_in_every_envelope(body: object) -> None:
    found = fault(400, body)
    assert isinstance(found, Invalid)
    assert found.message == "no"


@pytest.mark.parametrize(
    ("told", "ours"), [("messages[2].content", "input"), ("temperature", "temperature"), ("zz", None)]
)
def test_names_the_parameter_where_we_have_it(told: str, ours: str | None) -> None:
    found = fault(400, {"error": {"message": "no", "param": told, "code": "bad"}})
    assert (found.param, found.code) == (ours, "bad")


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 10 tokens.", "code": 400, "type": "BadRequestError"},
        {"message": "too big", "code": 400, "type": "exceed_context_size_error"},
        {"message": "x", "code": "context_length_exceeded"},
    ],
)
def test_a_prompt_that_is_too_long(error: dict[str, object]) -> None:
    for found in (fault(400, {"error": error}), told_inside(error, "gpu")):
        assert isinstance(found, Invalid)
        assert (found.code, found.param) == ("context_length_exceeded", "input")


def test_a_full_one_says_when() -> None:
    for status in (429, 503):
        found = fault(status, b"")
        assert isinstance(found, EngineBusy)
        assert found.retry_after == 7.0


def test_our_key_is_wrong(caplog: pytest.LogCaptureFixture) -> None:
    found = fault(401, {"error": {"message": "Incorrect API key provided: sk-sec*et"}})
    assert isinstance(found, RemoteFailed)
    assert "sk-" not in found.message
    assert "does not take our key" in caplog.text
    assert "sk-" not in caplog.text


def test_a_model_that_is_not_there() -> None:
    found = fault(404, {"error": {"message": "The model `x` does not exist."}})
    assert isinstance(found, NotFound)
    assert found.code == "model_not_found"


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"<html>"), (500, b"boom"), (302, b""), (400, b"\xff"), (400, b"[]")]
)
def test_everything_else_is_its_fault(status: int, body: bytes) -> None:
    assert isinstance(fault(status, body), RemoteFailed)


def test_an_error_in_a_stream() -> None:
    assert isinstance(told_inside({"message": "no", "code": 400}, "gpu"), Invalid)
    assert isinstance(told_inside({"message": "CUDA error"}, "gpu"), RemoteFailed)
    assert isinstance(told_inside("oops", "gpu"), RemoteFailed)
