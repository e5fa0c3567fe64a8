"""The tools and the tool choice of `POST /v1/responses`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Unsupported
from freehold.core.prompt import Choice, Function
from freehold.surfaces.decode import read
from freehold.surfaces.responses.searching import FILE_SEARCH, SEARCH, FileSearchTool, HostedChoice, shown_search
from freehold.surfaces.tools import FunctionBody, Name, PlainFormat, choice, choice_mode, custom, function, unique

Tool = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/ResponseTool"})]


class FunctionTool(FunctionBody, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="function"):
    """A function, as a tool of this surface."""


class GrammarFormat(Struct, frozen=True, forbid_unknown_fields=True, tag="grammar"):
    """The input of a custom tool follows a grammar."""

    syntax: Literal["lark", "regex"]
    definition: str


class CustomTool(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="custom"):
    """A custom tool: its input is text."""

    name: Name
    description: str | None = None
    format: PlainFormat | GrammarFormat | None = None


class NamedChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """The function or custom tool that must be called."""

    type: Literal["function", "custom"]
    name: str


class AllowedTools(Struct, frozen=True, forbid_unknown_fields=True, tag="allowed_tools"):
    """The tools that may be called now."""

    mode: Literal["auto", "required"]
    tools: Annotated[tuple[dict[str, Any], ...], Meta(min_length=1)]


def parse_tools(tools: list[Tool] | None) -> tuple[Function, ...]:
    """The functions, custom tools and searches that are offered. Raises Invalid or Unsupported that names the tool."""
    return unique([(_tool(tool, f"tools[{index}]"), f"tools[{index}]") for index, tool in enumerate(tools or [])])


def shown_tools(tools: list[Tool] | None) -> list[Tool]:
    """The tools as the Response shows them: as they were given, with the strictness that each has."""
    strict = {one.name: one.strict for one in parse_tools(tools)}
    shown: list[Tool] = []
    for tool in tools or []:
        if tool.get("type") == FILE_SEARCH:
            shown.append(shown_search(tool))
        elif tool.get("type") == "custom":
            shown.append({"type": "custom", "description": None, "format": {"type": "text"}, **tool})
        else:
            blank = {"type": "function", "description": None, "parameters": None}
            shown.append({**blank, **tool, "strict": strict[tool["name"]]})
    return shown


def parse_choice(given: str | dict[str, Any] | None, offered: tuple[Function, ...]) -> Choice:
    """What the model may or must call. Raises Invalid or Unsupported."""
    if given is None:
        return Choice()
    if isinstance(given, str):
        return choice(choice_mode(given), (), offered)
    if given.get("type") == "allowed_tools":
        allowed = read(given, AllowedTools, "tool_choice")
        names = tuple(_chosen(tool, f"tool_choice.tools[{index}]") for index, tool in enumerate(allowed.tools))
        return choice(allowed.mode, names, offered)
    if given.get("type") not in ("function", "custom", FILE_SEARCH):
        raise Unsupported(
            "Unsupported value: 'tool_choice.type' is only supported here as 'function', 'custom', 'file_search' or "
            "'allowed_tools'.",
            "tool_choice.type",
            "unsupported_value",
        )
    return choice("required", (_chosen(given, "tool_choice"),), offered)


def _chosen(given: dict[str, Any], path: str) -> str:
    """The name of a tool that is chosen."""
    if given.get("type") == FILE_SEARCH:
        return read(given, HostedChoice, path).type
    return read(given, NamedChoice, path).name


def _tool(tool: Tool, path: str) -> Function:
    kind = tool.get("type", "function")
    if kind == "function":
        return function(read(tool, FunctionTool, path), path, default_strict=True)
    if kind == FILE_SEARCH:
        read(tool, FileSearchTool, path)
        return SEARCH
    if kind != "custom":
        raise Unsupported(
            f"Unsupported value: '{path}.type' does not support '{kind}' on this server. "
            "Supported values are: 'function', 'custom' and 'file_search'.",
            f"{path}.type",
            "unsupported_value",
        )
    body = read(tool, CustomTool, path)
    grammar = body.format if isinstance(body.format, GrammarFormat) else None
    return custom(
        body.name, body.description, "text" if grammar is None else grammar.syntax, grammar and grammar.definition, path
    )
