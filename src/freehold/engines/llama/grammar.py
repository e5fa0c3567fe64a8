"""What an answer may be, as a grammar in LLGuidance's Lark dialect, which llama.cpp decodes by.

Where functions are offered, an object that begins by naming one can only go on as a call of it whose arguments follow
its schema, wherever in the answer it stands: a strict function is strict also when the model is free to call it or not.

llama.cpp drops a grammar that it cannot read, and answers anything; so every grammar is inspected first, by the same
library in the same version.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from llguidance import LLMatcher, LLTokenizer
from msgspec import json

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.prompt import Function, JsonFormat, Prompt
from freehold.engines.llama.rest import Rest
from freehold.engines.parsers.render import TEXT_INPUT, offered

_S = r"[ \n\t]*"
_HEAD = "%llguidance {}\n"
_COMPACT = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_QUOTED = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"|/(?:\\.|[^/\\\n])+/')
_MOST_CALLS = 8  # where calls are required: small models do not know when to end


Flaw = Callable[[str], Awaitable[str]]
"""Says what is wrong with a grammar, in a line; empty when nothing is."""


class Grammars:
    """Writes the grammars of one engine's prompts."""

    def __init__(self, flaw: Flaw) -> None:
        """`flaw` inspects each grammar before anything else is done with it, and knows those that it has seen."""
        self._flaw = flaw
        self._bytes = LLTokenizer("byte")

    async def check(self, prompt: Prompt) -> None:
        """Refuse what decoding cannot be held to. Raises Invalid that names `tools` or `format`."""
        functions = offered(prompt)
        for one in functions:
            await self._check_function(one)
        wanted = prompt.format
        if wanted is not None and wanted.strict and (flaw := await self.flaw_of(wanted.schema or _ANY_OBJECT)):
            raise Invalid(
                f"Invalid schema for response_format '{wanted.name}': {flaw}.", "invalid_json_schema", "format"
            )
        whole = await self._written(prompt)
        if whole and (flaw := await self._flaw(whole)):
            raise Invalid(
                f"The schemas and grammars of this request cannot be used together: {flaw}.",
                "invalid_grammar",
                "tools" if functions else "format",
            )

    async def write(self, prompt: Prompt) -> str:
        """Return the grammar of a checked prompt's answer, empty when it may be any text. Raises EngineFailed."""
        written = await self._written(prompt)
        if written and (flaw := await self._flaw(written)):
            raise EngineFailed(f"The grammar of this answer could not be made: {flaw}.")
        return written

    async def spell(self, prompt: Prompt, grammar: str) -> str:
        """Return the `grammar` of a checked prompt's answer as the backend reads it."""
        return grammar

    async def flaw_of(self, schema: dict[str, Any]) -> str:
        """Return why nothing can be held to a schema, in a line; empty where it can."""
        return await self._flaw(f"{_HEAD}start: {_strict(schema)}\n")

    def holds(self, grammar: str, answer: str) -> bool:
        """Whether a whole answer follows its grammar: what was held to it must, or the engine is broken."""
        matcher = LLMatcher(self._bytes, grammar)
        tokens = list(answer.encode())
        return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()

    def follow(self, grammar: str, written: str) -> Rest:
        """Return the rest of an answer of which something is `written`. Raises EngineFailed where that cannot be."""
        return Rest(grammar, written, self._bytes)

    async def _check_function(self, one: Function) -> None:
        if one.free in ("lark", "regex"):
            # Read alone first: what is no grammar by itself could end its block, and write into the one around it.
            alone = _foreign(one.definition) or await self._flaw(_HEAD + one.definition) if one.free == "lark" else ""
            flaw = alone or await self._flaw(f"{_HEAD}start: input\ninput: {_input(one)}\n")
            if flaw:
                kind = "regular expression" if one.free == "regex" else "grammar"
                raise Invalid(f"Invalid {kind} for custom tool '{one.name}': {flaw}.", "invalid_grammar", "tools")
        elif one.strict and (flaw := await self.flaw_of(one.parameters or _ANY_OBJECT)):
            raise Invalid(f"Invalid schema for function '{one.name}': {flaw}.", "invalid_function_parameters", "tools")

    async def _written(self, prompt: Prompt) -> str:
        functions = offered(prompt)
        if functions:
            return await self._calls(prompt, functions)
        return "" if prompt.format is None else f"{_HEAD}start: {await self._format(prompt.format)}\n"

    async def _calls(self, prompt: Prompt, functions: tuple[Function, ...]) -> str:
        typed = [one for one in functions if one.free in (None, "text")]
        free = [one for one in functions if one.free in ("lark", "regex")]
        lines = [f"{_HEAD}start: {_start(prompt, bool(typed), bool(free))}"]
        lines.append(rf"TAIL: /{_S}(<\/tool_call>|```)?{_S}/")
        if typed:
            lines += await self._typed(typed)
        if free:
            lines += _custom(free)
        names = "|".join(re.escape(one.name) for one in functions)
        lines.append(r"TEXT: /[^{]+/")
        lines.append(rf'BRACE: /\{{[^{{]*/ & ~/\{{{_S}"name"{_S}:{_S}"({names})"(?s:.*)/')
        if prompt.format is not None:
            lines.append(f"answer: {await self._format(prompt.format)}")
        return "\n".join(lines) + "\n"

    async def _typed(self, functions: list[Function]) -> list[str]:
        lines = ["call: " + " | ".join(f"OPEN{i} arguments{i} CLOSE" for i in range(len(functions)))]
        lines.append(r'wrapped: "<tool_call>\n" call "\n</tool_call>"')
        lines.append(rf"CLOSE: /{_S}\}}/")
        for i, one in enumerate(functions):
            name = re.escape(one.name)
            lines.append(rf'OPEN{i}: /\{{{_S}"name"{_S}:{_S}"{name}"{_S},{_S}"arguments"{_S}:{_S}/')
            lines.append(f"arguments{i}: {await self._arguments(one)}")
        return lines

    async def _arguments(self, one: Function) -> str:
        if one.free:
            return _strict(TEXT_INPUT)
        schema = one.parameters or _ANY_OBJECT
        return _strict(schema) if one.strict else await self._loose(schema)

    async def _format(self, wanted: JsonFormat) -> str:
        schema = wanted.schema or _ANY_OBJECT
        return _strict(schema) if wanted.strict else await self._loose(schema)

    async def _loose(self, schema: dict[str, Any]) -> str:
        """As much of a schema that is not strict as decoding can be held to; at least, that it is an object."""
        wanted = _json(schema, lenient=True)
        return _strict(_ANY_OBJECT) if await self._flaw(f"{_HEAD}start: {wanted}\n") else wanted


def _foreign(definition: str) -> str:
    """Return what is wrong with a Lark grammar that names tokens of a model: it would hold for no other model."""
    return "special tokens (<...>) are not supported" if "<" in _QUOTED.sub("", definition) else ""


def _start(prompt: Prompt, typed: bool, free: bool) -> str:
    any_call = f"({' | '.join(name for name, there in (('wrapped', typed), ('tagged', free)) if there)})"
    if prompt.choice.mode == "required":
        # A model that forgets the last tag must not be made to go on and on: the answer may also end there.
        last = any_call.replace("tagged", r'"<tool_call>\n" input ("\n</tool_call>")?')
        return rf'({any_call} "\n"){{0,{_MOST_CALLS - 1}}} {last}' if prompt.parallel else last
    if prompt.format is not None:
        return f"answer | {any_call}"
    # A call may also stand bare or in a fence; a custom tool's input has no end but that of its tag.
    bare = " | ".join(name for name, there in (("call", typed), ("custom", free)) if there)
    return f"(TEXT | BRACE | {bare})*" if prompt.parallel else f"(TEXT | BRACE)* (({bare}) TAIL)?"


def _custom(tools: list[Function]) -> list[str]:
    lines = ["input: " + " | ".join(f"NAME{i} input{i}" for i in range(len(tools)))]
    lines.append(r'custom: input "\n</tool_call>"')
    lines.append(r'tagged: "<tool_call>\n" custom')
    for i, one in enumerate(tools):
        name = re.escape(one.name)
        lines.append(rf'NAME{i}: /\{{{_S}"name"{_S}:{_S}"{name}"{_S}\}}\n/')
        lines.append(f"input{i}: {_input(one)}")
    return lines


def _input(one: Function) -> str:
    if one.free == "lark":
        return f"%lark {{\n{one.definition}\n}}"
    return "/" + re.sub(r"(?<!\\)((?:\\\\)*)/", r"\1\\/", one.definition).replace("\n", r"\n") + "/"


def _strict(schema: dict[str, Any]) -> str:
    return _json(schema, lenient=False)


def _json(schema: dict[str, Any], lenient: bool) -> str:
    return "%json " + json.encode(schema | {"x-guidance": {**_COMPACT, "lenient": lenient}}).decode()
