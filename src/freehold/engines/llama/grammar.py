"""What an answer may be, as a grammar for LLGuidance's Lark dialect, which llama.cpp decodes by.

Where functions are offered, an object that begins by naming one can only go on as a call of it whose arguments follow
its schema, wherever in the answer it stands: a strict function is strict also when the model is free to call it or not.
"""

import re
from typing import Any

from msgspec import json

from freehold.core.prompt import Function, Prompt
from freehold.engines.parsers.render import offered

_S = r"[ \n\t]*"
_COMPACT = {"x-guidance": {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}}
_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_WORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "prefixItems", "enum", "const", "anyOf"),
    *("$ref", "$defs", "definitions", "$schema", "$id", "$comment", "title", "description", "default", "examples"),
    *("pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems", "minLength", "maxLength"),
}
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")


def grammar(prompt: Prompt) -> str:
    """Return the grammar of the prompt's answer, empty when it may be any text."""
    functions = offered(prompt)
    if functions:
        return _calls(prompt, functions)
    if prompt.format is not None:
        return f"%llguidance {{}}\nstart: {_json(prompt.format.schema)}\n"
    return ""


def _calls(prompt: Prompt, functions: tuple[Function, ...]) -> str:
    names = "|".join(re.escape(one.name) for one in functions)
    lines = ["%llguidance {}", f"start: {_start(prompt)}"]
    lines.append("call: " + " | ".join(f"OPEN{i} arguments{i} CLOSE" for i in range(len(functions))))
    lines.append(r"TEXT: /[^{]+/")
    lines.append(rf'BRACE: /\{{[^{{]*/ & ~/\{{{_S}"name"{_S}:{_S}"({names})"(?s:.*)/')
    lines.append(rf"CLOSE: /{_S}\}}/")
    lines.append(rf"TAIL: /{_S}(<\/tool_call>|```)?{_S}/")
    for i, function in enumerate(functions):
        name = re.escape(function.name)
        lines.append(rf'OPEN{i}: /\{{{_S}"name"{_S}:{_S}"{name}"{_S},{_S}"arguments"{_S}:{_S}/')
        lines.append(f"arguments{i}: {_json(function.parameters or _ANY_OBJECT)}")
    if prompt.format is not None:
        lines.append(f"answer: {_json(prompt.format.schema)}")
    return "\n".join(lines) + "\n"


def _start(prompt: Prompt) -> str:
    wrapped = r'"<tool_call>\n" call "\n</tool_call>"'
    if prompt.choice.mode == "required":
        return f'{wrapped} ("\\n" {wrapped})*' if prompt.parallel else wrapped
    if prompt.format is not None:
        return f"answer | {wrapped}"
    return "(TEXT | BRACE | call)*" if prompt.parallel else "(TEXT | BRACE)* (call TAIL)?"


def _json(schema: dict[str, Any] | None) -> str:
    wanted = schema if schema and _decodable(schema) else _ANY_OBJECT
    return "%json " + json.encode(wanted | _COMPACT).decode()


def _decodable(schema: Any) -> bool:
    """Whether decoding can be held to a schema. One that is not strict may use words that LLGuidance does not know."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict) or not schema.keys() <= _WORDS or schema.get("format", "date") not in _FORMATS:
        return False
    inner = [schema[word] for word in ("items", "additionalProperties") if word in schema]
    inner += [one for word in ("anyOf", "prefixItems") for one in schema.get(word, ())]
    inner += [one for word in ("properties", "$defs", "definitions") for one in schema.get(word, {}).values()]
    return all(map(_decodable, inner))
