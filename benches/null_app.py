"""A server that answers Chat Completions and Responses at once: what is measured before it is its own cost alone.

usage: python -m benches.null_app PORT

A request that says LONG is answered in CHUNKS words, others in one; every answer has ids of its own. Each word is a
chunk and a write of its own, as the tokens of a real engine are.
"""

import asyncio
import json
import sys
from itertools import count
from typing import Any

import uvloop

LONG = "Tell me everything."
CHUNKS = 500
_NUMBER = b"########"
_USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
_TOKENS = {"input_tokens": 9, "output_tokens": 9, "total_tokens": 18}
_DETAILS = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
_SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _whole(value: Any) -> list[bytes]:
    body = _json(value)
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return [head.encode() + body]


def _stream(events: list[Any], named: bool, last: bytes = b"") -> list[bytes]:
    frames = [
        (f"event: {one['type']}\n".encode() if named else b"") + b"data: " + _json(one) + b"\n\n" for one in events
    ]
    chunks = [b"%x\r\n%s\r\n" % (len(frame), frame) for frame in (*frames, last) if frame]
    return [_SSE + chunks[0], *chunks[1:-1], chunks[-1] + b"0\r\n\r\n"]


def _chat(words: list[str], streams: bool) -> list[bytes]:
    about = {"id": "chatcmpl-########", "created": 1, "model": "null"}
    if not streams:
        message = {"role": "assistant", "content": "".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return _whole({**about, "object": "chat.completion", "choices": [choice], "usage": _USAGE})
    deltas: list[dict[str, str]] = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    chunk = {**about, "object": "chat.completion.chunk"}
    events = [{**chunk, "choices": [one]} for one in choices] + [{**chunk, "choices": [], "usage": _USAGE}]
    return _stream(events, named=False, last=b"data: [DONE]\n\n")


def _response(words: list[str], streams: bool) -> list[bytes]:
    part = {"type": "output_text", "text": "".join(words), "annotations": [], "logprobs": []}
    item = {"id": "msg_########", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    empty = {"id": "resp_########", "object": "response", "created_at": 1, "model": "null", "output": []}
    empty |= {"status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "top_p": 1.0}
    whole = {**empty, "status": "completed", "output": [item], "usage": {**_TOKENS, **_DETAILS}}
    if not streams:
        return _whole(whole)
    at = {"item_id": "msg_########", "output_index": 0, "content_index": 0}
    opened = {**item, "status": "in_progress", "content": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": empty},
        {"type": "response.in_progress", "response": empty},
        {"type": "response.output_item.added", "output_index": 0, "item": opened},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in words),
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    numbers = count()
    return _stream([{**one, "sequence_number": next(numbers)} for one in events], named=True)


_SHORT, _LONGER = ["Hello."], [f"word{number % 10} " for number in range(CHUNKS)]
_ANSWERS = {
    (path, long, streams): make(_LONGER if long else _SHORT, streams)
    for path, make in ((b"/chat/completions", _chat), (b"/responses", _response))
    for long in (False, True)
    for streams in (False, True)
}
_MODELS = _whole({"object": "list", "data": [{"id": "null", "object": "model", "created": 1, "owned_by": "null"}]})
_WELL = _whole({"status": "ok"})
_MISSING = [b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"]


def _answer(head: bytes, body: bytes) -> list[bytes]:
    path = head.split(b" ", 2)[1]
    if path.endswith(b"/models"):
        return _MODELS
    if path == b"/health":
        return _WELL
    asked = next((end for end in (b"/chat/completions", b"/responses") if path.endswith(end)), b"")
    streams = json.loads(body).get("stream") is True if asked else False
    return _ANSWERS.get((asked, LONG.encode() in body, streams), _MISSING)


_numbers = count()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            _, found, rest = head.lower().partition(b"content-length:")
            length = int(rest.split(b"\r\n", 1)[0]) if found else 0
            number = b"%08x" % next(_numbers)
            for piece in _answer(head, await reader.readexactly(length)):
                writer.write(piece.replace(_NUMBER, number))
                await asyncio.sleep(0)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(_serve, "127.0.0.1", port, limit=2**24)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
