"""Whether an answer keeps to what it was held to: an upstream is believed when it was seen to."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from llguidance import LLMatcher, LLTokenizer
from msgspec import json

from freehold.core.errors import RemoteFailed
from freehold.core.prompt import Function, Prompt
from freehold.engines.llama.grammar import Grammars
from freehold.engines.parsers.render import offered
from freehold.engines.remote.read import Reader

_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_GUIDANCE: Any = {"whitespace_flexible": True, "lenient": False}
_MOST_REFERENCES = 8
_NO_FUNCTION = "The server of this model did not call a function, as the request requires."
_BROKE = "The server of this model did not keep to the schema or grammar of the request."


class Holding:
    """Inspects what prompts want to be held to, and the answers to them."""

    def __init__(self, grammars: Grammars) -> None:
        """`grammars` inspects schemas before anything is done with them."""
        self._grammars = grammars
        self._bytes = LLTokenizer("byte")

    async def check(self, prompt: Prompt) -> None:
        """Refuse schemas and grammars that nothing can be held to. Raises Invalid that names `tools` or `format`."""
        if wants(prompt):
            await self._grammars.check(prompt)

    async def verify(self, prompt: Prompt, reader: Reader) -> None:
        """Raise RemoteFailed for a finished answer that is not what it was held to; a refusal is held to nothing."""
        if reader.declined:
            return
        if reader.alone is not None:
            return await self._verify_input(reader.alone, "".join(reader.text))
        calls = reader.calls.whole
        if prompt.choice.mode == "required" and offered(prompt) and not calls:
            raise RemoteFailed(_NO_FUNCTION)
        if prompt.format is not None and not calls and not prompt.sampling.stop:
            await self._verify(prompt.format.schema if prompt.format.strict else None, "".join(reader.text))
        functions = {one.name: one for one in prompt.functions}
        for name, arguments in calls.values():
            one = functions.get(name)
            if one is not None and one.strict and not one.free:
                await self._verify(one.parameters or _ANY_OBJECT, arguments)

    async def _verify_input(self, tool: Function, text: str) -> None:
        definition = tool.definition
        grammar = f"%llguidance {{}}\n{definition}" if tool.free == "lark" else LLMatcher.grammar_from_regex(definition)
        if not await asyncio.to_thread(self._follows, grammar, text):
            raise RemoteFailed(_BROKE)

    async def _verify(self, schema: dict[str, Any] | None, text: str) -> None:
        try:
            value = json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteFailed(_BROKE) from error
        if schema is not None and not await asyncio.to_thread(self._fits, schema, text, value):
            raise RemoteFailed(_BROKE)

    def _fits(self, schema: dict[str, Any], text: str, value: Any) -> bool:
        """Whether JSON fits a schema. The order of properties is not part of it, but matters to the grammar."""
        grammar = LLMatcher.grammar_from_json_schema(schema, defaults=None, overrides=_GUIDANCE)
        if self._follows(grammar, text):
            return True
        named = schema.get("$defs") or schema.get("definitions") or {}
        ordered = in_order(value, schema, {"#": schema, **named})
        return self._follows(grammar, json.encode(ordered).decode())

    def _follows(self, grammar: str, text: str) -> bool:
        matcher = LLMatcher(self._bytes, grammar, log_level=0)
        tokens = list(text.encode())
        return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def wants(prompt: Prompt) -> bool:
    """Whether the answer is to be held to a schema or grammar without exception."""
    strict = prompt.format is not None and prompt.format.strict
    return strict or any(one.strict or one.free in ("lark", "regex") for one in offered(prompt))


def held(prompt: Prompt) -> bool:
    """Whether the answer is to be verified when it is over."""
    return prompt.format is not None or prompt.choice.mode == "required" or any(one.strict for one in prompt.functions)


def in_order(value: Any, schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a value whose properties stand in the order of its schema."""
    schema = _resolved(schema, definitions)
    if isinstance(choices := schema.get("anyOf"), list):
        return in_order(value, _alike(value, choices, definitions), definitions)
    if isinstance(value, list):
        return [in_order(one, schema.get("items"), definitions) for one in value]
    if not isinstance(value, dict):
        return value
    known = schema.get("properties") or {}
    first = {name: in_order(value[name], known[name], definitions) for name in known if name in value}
    return first | {name: one for name, one in value.items() if name not in known}


def _alike(value: Any, choices: Sequence[Any], definitions: Mapping[str, Any]) -> Any:
    """The first of several schemas that has the properties of a value."""
    if not isinstance(value, dict):
        return None if not isinstance(value, list) else next((one for one in choices if _items(one)), None)
    found = (_resolved(one, definitions) for one in choices)
    return next((one for one in found if one and value.keys() <= (one.get("properties") or {}).keys()), None)


def _resolved(schema: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """A schema, where it is none but refers to one, that one; nothing where there is none."""
    for _ in range(_MOST_REFERENCES):
        if not isinstance(schema, dict):
            break
        if not isinstance(reference := schema.get("$ref"), str):
            return schema
        schema = definitions.get(reference.rsplit("/", 1)[-1])
    return {}


def _items(schema: Any) -> bool:
    return isinstance(schema, dict) and "items" in schema
