"""Bodies that are made to break the server: each is answered well, in bounded time and memory, and the next one too."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.hostile import Answer, Ask, Json, chat, check_log, image, post, response, said
from tests.servers import Server, http_client, running_server

BIG = 10_000_000
TEXT = "x" * BIG


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Repeats what it is told."""
    with running_server(tmp_path_factory.mktemp("server"), "--engine", "script") as running:
        yield running
        check_log(running)


@pytest.fixture
def ask(server: Server) -> Iterator[Callable[[Ask], Answer]]:
    with http_client(server) as client:
        yield partial(post, server, client)


def function(schema: Json, **more: Any) -> Json:
    return {"type": "function", "name": "f", "parameters": schema, **more}


def closed(**properties: Any) -> Json:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


PLACES: dict[str, Ask] = {
    "input": response(input=TEXT),
    "words": response(input="x " * (BIG // 2)),
    "instructions": response(instructions=TEXT),
    "unstored": response(input=TEXT, store=False),
    "model": response(model=TEXT),
    "user": response(user=TEXT),
    "identifier": response(safety_identifier=TEXT),
    "metadata": response(metadata={"a": TEXT}),
    "metadata key": response(metadata={TEXT: "a"}),
    "unknown": response(**{TEXT: 1}),
    "include": response(include=[TEXT]),
    "tier": response(service_tier=TEXT),
    "previous": response(previous_response_id=TEXT),
    "conversation": response(conversation=TEXT),
    "template": response(prompt={"id": TEXT, "variables": {TEXT: TEXT}}),
    "item type": response(input=[{"type": TEXT}]),
    "role": response(input=[{"role": TEXT, "content": "x"}]),
    "item key": said("x", **{TEXT: 1}),
    "part type": said({"type": TEXT}),
    "call": response(input=[{"type": "function_call", "call_id": TEXT, "name": TEXT, "arguments": TEXT}]),
    "sealed": response(input=[{"type": "reasoning", "encrypted_content": TEXT}]),
    "tool name": response(tools=[{"type": "function", "name": TEXT}]),
    "tool type": response(tools=[{"type": TEXT}]),
    "tool text": response(tools=[function({}, description=TEXT)]),
    "schema": response(tools=[function({"type": "object", TEXT: TEXT})]),
    "strict schema": response(tools=[function(closed(**{TEXT: {"type": TEXT}}), strict=True)]),
    "pattern": response(tools=[function(closed(a={"type": "string", "pattern": TEXT}), strict=True)]),
    "grammar": response(
        tools=[{"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": "regex", "definition": TEXT}}]
    ),
    "tool choice": response(tools=[function({})], tool_choice={"type": "function", "name": TEXT}),
    "image": image(TEXT),
    "image data": image("data:image/png;base64," + TEXT),
    "image parameters": image("data:image/png" + ";a=b" * (BIG // 4)),
    "file name": said({"type": "input_file", "filename": TEXT, "file_data": "eA=="}),
    "file": said({"type": "input_file", "filename": "a.txt", "file_data": TEXT}),
    "chat": chat(messages=[{"role": "user", "content": TEXT, "name": TEXT}], store=True),
    "chat role": chat(messages=[{"role": TEXT, "content": "x"}]),
    "bias": chat(logit_bias={TEXT: 1}),
    "stop": chat(stop=[TEXT] * 4),
    "completion": ("/completions", {"model": "gpt-5", "prompt": TEXT}),
    "conversation item": ("/conversations", {"items": [{"role": "user", "content": TEXT}]}),
    "tokens": ("/responses/input_tokens", {"input": TEXT}),
}


@pytest.mark.parametrize("place", PLACES)
def test_ten_megabytes_in_one_place(ask: Callable[[Ask], Answer], place: str) -> None:
    ask(PLACES[place])


DEEP = {
    "body": b"%s",
    "input": b'{"input":%s}',
    "items": b'{"input":[%s]}',
    "content": b'{"input":[{"role":"user","content":%s}]}',
    "annotation": b'{"input":[{"role":"assistant","content":[{"type":"output_text","text":"x","annotations":[%s]}]}]}',
    "tool": b'{"input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"object","x":%s}}]}',
    "format": b'{"input":"x","text":{"format":{"type":"json_schema","name":"n","schema":{"x":%s}}}}',
    "choice": b'{"input":"x","tool_choice":{"type":%s}}',
    "unknown": b'{"input":"x","what":%s}',
    "after a fault": b'{"input":"x","max_output_tokens":1,"what":%s}',
}


@pytest.mark.parametrize("depth", [1_000, 100_000, BIG])
@pytest.mark.parametrize("where", DEEP)
def test_depth(ask: Callable[[Ask], Answer], where: str, depth: int) -> None:
    for begin, end in ((b"[", b"]"), (b'{"a":', b"}")):
        nested = begin * min(depth, BIG // len(begin)) + (b"" if depth == BIG else b"1" + end * depth)
        status, error = ask(("/responses", DEEP[where] % nested))
        assert status in (400, 413)
        assert error is not None


MANY: dict[str, Callable[[], bytes]] = {
    "numbers": lambda: b'{"input":[' + b"1," * (BIG // 2) + b"1]}",
    "objects": lambda: b'{"input":"x","tools":[' + b"{}," * (BIG // 3) + b"{}]}",
    "nests": lambda: b'{"input":"x","tools":[{"a":[' + (b"[" * 500 + b"]" * 500 + b",") * (BIG // 1001) + b"1]}]}",
    "keys": lambda: b"{" + b",".join(b'"k%d":1' % number for number in range(600_000)) + b"}",
    "items": lambda: b'{"input":[' + b'{"role":"user","content":"x"},' * 100_000 + b'{"role":"user","content":"x"}]}',
    "labels": lambda: (
        b'{"input":"x","metadata":{' + b",".join(b'"%d":"x"' % number for number in range(500_000)) + b"}}"
    ),
    "tools": lambda: json.dumps(
        response(tools=[{"type": "function", "name": f"f{one}"} for one in range(129)])[1]
    ).encode(),
    "images": lambda: json.dumps(
        said(*({"type": "input_image", "image_url": f"http://a{n}/"} for n in range(101)))[1]
    ).encode(),
}


@pytest.mark.parametrize("what", MANY)
def test_many_small_things_are_too_many(ask: Callable[[Ask], Answer], what: str) -> None:
    status, _ = ask(("/responses", MANY[what]()))
    assert status in (400, 413)


def test_128_large_tools_are_not(ask: Callable[[Ask], Answer]) -> None:
    schema = closed(**{f"p{number}": {"type": "string", "description": "d" * 1_000} for number in range(30)})
    tools = [function(schema, name=f"f{number}", strict=True) for number in range(128)]
    assert ask(response(tools=tools)) == (200, None)


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "half": b'{"input":"x"',
    "twice": b'{"input":"x"}{"input":"x"}',
    "quotes": b"{'input':'x'}",
    "NaN": b'{"input":"x","temperature":NaN}',
    "Infinity": b'{"input":"x","tools":[{"default":-Infinity}]}',
    "1e400": b'{"input":"x","temperature":1e400}',
    "a number of 5,000 digits": b'{"input":"x","user":%s}' % (b"1" * 5_000),
    "after a fault, a number of 5,000 digits": b'{"input":"x","max_output_tokens":1,"user":%s}' % (b"1" * 5_000),
    "after a fault, garbage": b'{"input":"x","max_output_tokens":1,garbage',
    "after a fault, its key again": b'{"metadata":{"a":"%s"},"metadata":1}' % (b"x" * 600),
    "a lone surrogate": b'{"input":"\\ud800"}',
    "a lone surrogate in a key": b'{"input":"x","metadata":{"\\udfff":"x"}}',
    "a lone surrogate in an item": b'{"input":[{"role":"user","content":"\\ud83d"}]}',
    "no UTF-8": b'{"input":"\xff\xfe"}',
    "an overlong NUL": b'{"input":"\xc0\x80"}',
    "UTF-16": '{"input":"x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"input":"x"}',
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_request_is_a_400(ask: Callable[[Ask], Answer], what: str) -> None:
    status, error = ask(("/responses", MALFORMED[what]))
    assert status == 400
    assert error is not None


@pytest.mark.parametrize(
    "body",
    [
        b'{"input":"x","input":"y"}',
        b'{"input":"a\\u0000b","metadata":{"\\u0000":"\\u0000"},"user":"\\u0000"}',
        b'{"input":"x","max_output_tokens":1000000000000000000000000000000}',
    ],
)
def test_what_is_only_strange_is_answered(ask: Callable[[Ask], Answer], body: bytes) -> None:
    assert ask(("/responses", body)) == (200, None)


SCHEMAS: dict[str, Json] = {
    "nothing but itself": {**closed(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "in a circle": {
        **closed(a={"$ref": "#/$defs/a"}),
        "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
    },
    "a long chain": {
        **closed(a={"$ref": "#/$defs/d0"}),
        "$defs": {f"d{n}": {"$ref": f"#/$defs/d{n + 1}"} for n in range(20_000)},
    },
    "a path inside": {**closed(a={"$ref": "#/$defs/a/type"}), "$defs": {"a": {"type": "string"}, "a/type": {}}},
    "no reference": closed(a={"$ref": [{}]}),
    "no names": {**closed(), "required": [[], {}]},
    "no list": {**closed(), "required": 5},
    "no type": closed(a={"type": [{}]}),
    "properties": closed(**{f"p{number}": {"type": "string"} for number in range(100_000)}),
    "values": closed(a={"type": "string", "enum": [f"v{number}" for number in range(100_000)]}),
    "choices": closed(a={"anyOf": [{"type": "string"}] * 100_000}),
    "definitions": {**closed(), "$defs": {f"d{number}": {"type": "string"} for number in range(100_000)}},
    "names": {**closed(), "required": ["a"] * 100_000},
}


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_hostile_schema_is_refused(ask: Callable[[Ask], Answer], what: str) -> None:
    format_ = {"type": "json_schema", "name": "n", "strict": True, "schema": SCHEMAS[what]}
    for asked in (response(tools=[function(SCHEMAS[what], strict=True)]), response(text={"format": format_})):
        status, error = ask(asked)
        assert (status, error and error["code"]) == (400, "invalid_json_schema")
    assert ask(response(tools=[function(SCHEMAS[what], strict=False)])) == (200, None)
