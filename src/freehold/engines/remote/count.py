"""How many tokens a prompt has: upstreams that can are asked before it is answered, where somebody has to know."""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import json

from freehold.core.errors import RemoteFailed, Unsupported
from freehold.core.prompt import Prompt, Turn
from freehold.engines.parsers.render import offered
from freehold.engines.remote.broken import Broken
from freehold.engines.remote.client import Client
from freehold.engines.remote.dialects import Dialect
from freehold.engines.remote.exchange import failed
from freehold.engines.remote.faults import refused
from freehold.engines.remote.probe import whole
from freehold.engines.remote.request import messages, tools

_CANNOT = "The server of this model cannot count the tokens of this request before it answers."


async def count(client: Client, dialect: Dialect, prompt: Prompt) -> int:
    """Return how many tokens the model would read. Raises Unsupported (`counted`) where the upstream cannot tell."""
    if dialect.counting == "none" or any(turn.images for turn in prompt.turns):
        raise Unsupported(_CANNOT, "counted")
    told = {"tools": tools(prompt, dialect)} if offered(prompt) else {}
    root = client.address.root
    if dialect.counting == "freehold":
        if prompt.raw is not None:
            raise Unsupported(_CANNOT, "counted")
        body: dict[str, Any] = {"model": prompt.model, "input": list(_items(prompt))}
        if offered(prompt):
            body["tools"] = [_flat(tool) for tool in tools(prompt, dialect)]
        return _number(await _asked(client, f"{client.address.path}/responses/input_tokens", body), "input_tokens")
    if dialect.counting == "llama-server":
        text = prompt.raw
        if text is None:
            body = {"messages": list(messages(prompt, dialect)), **told}
            text = (await _asked(client, f"{root}/apply-template", body)).get("prompt")
        tokens = await _asked(client, f"{root}/tokenize", {"content": text, "add_special": True, "parse_special": True})
        return len(tokens.get("tokens") or ())
    body = {"model": prompt.model, "prompt": prompt.raw}
    if prompt.raw is None:
        body = {
            "model": prompt.model,
            "messages": list(messages(prompt, dialect)),
            "add_generation_prompt": True,
            **told,
        }
    return _number(await _asked(client, f"{root}/tokenize", body), "count")


async def detokenize(client: Client, dialect: Dialect, model: str, tokens: tuple[int, ...]) -> str:
    """Return the text of tokens. Raises Unsupported, naming the input, where the upstream cannot tell."""
    if dialect.counting not in ("vllm", "llama-server"):
        raise Unsupported("The server of this model takes text, not tokens.", "input", "unsupported_value")
    told = await _asked(client, f"{client.address.root}/detokenize", {"model": model, "tokens": tokens})
    text = told.get("prompt", told.get("content"))
    if not isinstance(text, str):
        raise RemoteFailed("The server of this model did not say what the tokens of the request stand for.")
    return text


async def _asked(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    where = client.where
    try:
        status, answer = await whole(client, "POST", path, json.encode(body), None)
    except Broken as broken:
        raise failed(broken, where) from None
    if status != 200:
        raise refused(status, answer, 1.0, where)
    try:
        told = json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        told = None
    if not isinstance(told, dict):
        raise RemoteFailed("The server of this model did not say how long the request is.")
    return told


def _number(told: dict[str, Any], name: str) -> int:
    number = told.get(name)
    if not isinstance(number, int):
        raise RemoteFailed("The server of this model did not say how long the request is.")
    return number


def _items(prompt: Prompt) -> Iterator[dict[str, Any]]:
    """The turns as the items of the Responses API."""
    free = {call.id for turn in prompt.turns for call in turn.calls if call.free}
    for turn in prompt.turns:
        yield from _said(turn, free)


def _said(turn: Turn, free: set[str]) -> Iterator[dict[str, Any]]:
    if turn.speaker == "tool":
        kind = "custom_tool_call_output" if turn.call_id in free else "function_call_output"
        yield {"type": kind, "call_id": turn.call_id, "output": turn.text}
        return
    if turn.text or not turn.calls:
        yield {"role": turn.speaker, "content": turn.text}
    for call in turn.calls:
        kind, given = ("custom_tool_call", "input") if call.free else ("function_call", "arguments")
        yield {"type": kind, "call_id": call.id, "name": call.name, given: call.arguments}


def _flat(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as the Responses API has it."""
    if tool["type"] == "function":
        return {"type": "function", "strict": False, **tool["function"]}
    custom = tool["custom"]
    kind = custom["format"]
    return {"type": "custom", **custom, "format": {"type": kind["type"], **kind.get("grammar", {})}}
