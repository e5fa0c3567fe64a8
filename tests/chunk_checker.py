"""The grammar of a chat completion's stream, and the completion that it folds to.

stream = opening, { piece }, ( [ usage ] | error ), [DONE]
opening = a chunk for each choice, in order, that names the role
piece  = a chunk of one choice: content, refusal, a piece of a call, or, once and last of its choice, why it ended

A call begins with its number, id, type and name; after that its arguments or input grow. Every chunk carries the id,
model and time of the first.
"""

import json
from typing import Any

from tests.sse_checker import Json, StreamError, read_frames

_SAME = ("id", "object", "created", "model", "service_tier", "system_fingerprint")
_OPENING = {"role": "assistant", "content": "", "refusal": None}


def check_chunks(raw: bytes, choices: int = 1) -> Json:
    """Check a whole stream; return the completion that it folds to, without usage where none was sent.

    An answer that broke is returned as its error. Raises StreamError.
    """
    *frames, last = read_frames(raw)
    if last != (None, "[DONE]") or any(name is not None for name, _ in frames):
        raise StreamError("the stream is not one of unnamed frames that ends with [DONE]")
    chunks = [json.loads(data) for _, data in frames]
    if "error" in chunks[-1]:
        return chunks[-1]
    first = chunks[0]
    folds = [ChoiceFold(number) for number in range(choices)]
    usage: Json | None = None
    for number, chunk in enumerate(chunks):
        where = f"chunk {number}"
        if usage is not None:
            raise StreamError(f"{where} comes after the usage")
        _equal(where, "what all share", {key: chunk[key] for key in _SAME}, {key: first[key] for key in _SAME})
        if not chunk["choices"]:
            usage = chunk["usage"]
            continue
        _equal(where, "usage", chunk["usage"], None)
        (piece,) = chunk["choices"]
        if number < choices:
            _equal(where, "opening", piece, _piece(number, _OPENING))
        else:
            folds[piece["index"]].push(piece, where)
    completion = {key: first[key] for key in _SAME} | {"object": "chat.completion"}
    completion["choices"] = [fold.result() for fold in folds]
    return completion if usage is None else completion | {"usage": usage}


class ChoiceFold:
    """Follows one choice."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._texts: dict[str, list[str]] = {"content": [], "refusal": []}
        self._logprobs: list[Json] | None = None
        self._calls: list[Json] = []
        self._function: Json | None = None
        self._finish: str | None = None

    def push(self, piece: Json, where: str) -> None:
        """Check the next piece of the choice. Raises StreamError."""
        if self._finish is not None:
            raise StreamError(f"{where} comes after the end of its choice")
        delta = piece["delta"]
        if piece["finish_reason"] is not None:
            _equal(where, "last delta", delta, {})
            self._finish = piece["finish_reason"]
            return
        if len(delta) != 1:
            raise StreamError(f"{where} adds {len(delta)} things")
        ((kind, value),) = delta.items()
        if kind in self._texts:
            _some(where, value)
            self._texts[kind].append(value)
        elif kind == "tool_calls":
            (call,) = value
            self._call(call, where)
        elif kind == "function_call":
            self._function = _grown(self._function, value, "arguments", where)
        else:
            raise StreamError(f"{where} adds {kind}")
        if piece["logprobs"] is not None:
            self._logprobs = [*(self._logprobs or ()), *piece["logprobs"]["content"]]

    def result(self) -> Json:
        """The choice as it is without streaming. Raises StreamError when it has not ended."""
        if self._finish is None:
            raise StreamError(f"the choice {self._index} has no end")
        said = "".join(self._texts["content"])
        silent = not said and (self._calls or self._function or self._texts["refusal"])
        message: Json = {
            "role": "assistant",
            "content": None if silent else said,
            "refusal": "".join(self._texts["refusal"]) or None,
            "annotations": [],
        }
        if self._calls:
            message["tool_calls"] = self._calls
        if self._function is not None:
            message["function_call"] = self._function
        logprobs = None if self._logprobs is None else {"content": self._logprobs, "refusal": None}
        return {"index": self._index, "message": message, "logprobs": logprobs, "finish_reason": self._finish}

    def _call(self, piece: Json, where: str) -> None:
        number = piece["index"]
        if number == len(self._calls):
            _equal(where, "keys of a new call", piece.keys(), {"index", "id", "type", piece.get("type")})
            kind = piece["type"]
            self._calls.append({"id": piece["id"], "type": kind, kind: _grown(None, piece[kind], _GROWS[kind], where)})
            return
        _equal(where, "number of the call", number, len(self._calls) - 1)
        call = self._calls[number]
        kind = call["type"]
        _equal(where, "keys of a piece", piece.keys(), {"index", kind})
        call[kind] = _grown(call[kind], piece[kind], _GROWS[kind], where)


_GROWS = {"function": "arguments", "custom": "input"}


def _grown(begun: Json | None, piece: Json, key: str, where: str) -> Json:
    if begun is None:
        _equal(where, "beginning", {**piece, "name": ""}, {"name": "", key: ""})
        return piece
    _equal(where, "keys", piece.keys(), {key})
    _some(where, piece[key])
    return {**begun, key: begun[key] + piece[key]}


def _piece(index: int, delta: Json) -> Json:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}


def _some(where: str, value: str) -> None:
    if not value:
        raise StreamError(f"{where} adds nothing")


def _equal(where: str, what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise StreamError(f"{where}: {what} is {found!r}, not {wanted!r}")
