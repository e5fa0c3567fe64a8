"""What an upstream answers when it does not answer, as faults of ours."""

import logging
from collections.abc import Mapping

import msgspec

from freehold.core.errors import EngineBusy, Fault, Invalid, NotFound, RemoteFailed
from freehold.engines.remote.wire import Mistake

LONGEST = 1_000
TOO_LONG = "context_length_exceeded"
_KNOWN: Mapping[str, str | None] = {
    "messages": "input",
    "prompt": "input",
    "input": "input",
    "response_format": "format",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop": "stop",
    "seed": "seed",
    "logit_bias": "logit_bias",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "parallel_tool_calls": "parallel_tool_calls",
    "reasoning_effort": "reasoning_effort",
    "suffix": "suffix",
}
"""The parameters that mean the same on both sides, and what the port calls them."""
_LENGTH_SIGNS = (
    "maximum context length",
    "context length",
    "exceed_context_size",
    "exceeds the available context size",
    "context window",
    "maximum model length",
    "longer than the model",
    "context_length_exceeded",
)
_log = logging.getLogger(__name__)


def refused(status: int, body: bytes, retry_after: float, where: str) -> Fault:
    """Return the fault for an answer with a status that is no success. `where` is for the log, not the caller."""
    told = mistake(body)
    message = _said(told, body)
    if status in (429, 503):
        return EngineBusy(
            "The server of this model is at its limit. Please retry your request.", retry_after=retry_after
        )
    if status in (401, 403, 407):
        _log.error("%s does not take our key (status %d): see key_env and key_file", where, status)
        return RemoteFailed("The server of this model refused Freehold's own credentials.")
    if status == 404 and told is not None:
        _log.error("%s does not know the model or the path: %s", where, message)
        return NotFound("The model is not there on the server that it is configured on.", "model_not_found", "model")
    if status in (400, 413, 422) and told is not None:
        return _invalid(told, message)
    _log.error("%s answered with status %d: %s", where, status, message)
    return RemoteFailed(f"The server of this model answered with status {status}.")


def told_inside(error: object, where: str) -> Fault:
    """Return the fault for an error that came as a piece of a stream."""
    body = msgspec.json.encode({"error": error})
    told = mistake(body)
    message = _said(told, body)
    status = told.code if told is not None and isinstance(told.code, int) else 500
    if told is not None and (status in (400, 413, 422) or _too_long(told, message)):
        return _invalid(told, message)
    _log.error("%s broke off its answer: %s", where, message)
    return RemoteFailed("The server of this model broke off its answer.")


def mistake(body: bytes) -> Mistake | None:
    """Read an error body: an envelope, a bare error, or FastAPI's `detail`; None where it is none of them."""
    try:
        tree = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(tree, dict):
        return None
    inner = tree.get("error", tree)
    if isinstance(inner, str):
        return Mistake(message=inner)
    if not isinstance(inner, dict):
        return None
    if "message" not in inner and "detail" in inner:
        detail = inner["detail"]
        return Mistake(message=detail if isinstance(detail, str) else msgspec.json.encode(detail).decode())
    return msgspec.convert(inner, Mistake) if "message" in inner else None


def _said(told: Mistake | None, body: bytes) -> str:
    said = str(told.message) if told is not None else body.decode("utf-8", "replace")
    said = " ".join(said.split())
    return said if len(said) <= LONGEST else said[:LONGEST] + "…"


def _too_long(told: Mistake, message: str) -> bool:
    signs = f"{told.code} {told.type} {message}".lower()
    return any(sign in signs for sign in _LENGTH_SIGNS)


def _invalid(told: Mistake, message: str) -> Invalid:
    if _too_long(told, message):
        return Invalid(message, TOO_LONG, "input")
    param = told.param if isinstance(told.param, str) else ""
    code = told.code if isinstance(told.code, str) else None
    return Invalid(message, code, _KNOWN.get(param.split(".")[0].split("[")[0]))
