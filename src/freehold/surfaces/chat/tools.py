"""The tools, legacy functions and the tool choice of `POST /v1/chat/completions`."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from freehold.core.errors import Invalid, Unsupported
from freehold.core.prompt import Choice, Function
from freehold.surfaces.decode import read
from freehold.surfaces.tools import FunctionBody, Name, PlainFormat, choice, choice_mode, custom, function, unique

Tool = Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/components/schemas/ChatTool"})]


class FunctionTool(Struct, frozen=True, forbid_unknown_fields=True, tag="function"):
    """A function, as a tool of this surface."""

    function: FunctionBody


class Grammar(Struct, frozen=True, forbid_unknown_fields=True):
    """What the input of a custom tool follows."""

    syntax: Literal["lark", "regex"]
    definition: str


class GrammarFormat(Struct, frozen=True, forbid_unknown_fields=True, tag="grammar"):
    """The input of a custom tool follows a grammar."""

    grammar: Grammar


class CustomBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The definition of a custom tool."""

    name: Name
    description: str | None = None
    format: PlainFormat | GrammarFormat | None = None


class CustomTool(Struct, frozen=True, forbid_unknown_fields=True, tag="custom"):
    """A custom tool: its input is text."""

    custom: CustomBody


class Named(Struct, frozen=True, forbid_unknown_fields=True):
    """A function or custom tool by its name."""

    name: str


class FunctionChoice(Struct, frozen=True, forbid_unknown_fields=True, tag="function"):
    """A function that is chosen."""

    function: Named


class CustomChoice(Struct, frozen=True, forbid_unknown_fields=True, tag="custom"):
    """A custom tool that is chosen."""

    custom: Named


NamedChoice = FunctionChoice | CustomChoice


class Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """The tools that may be called now."""

    mode: Literal["auto", "required"]
    tools: Annotated[tuple[NamedChoice, ...], Meta(min_length=1)]


class AllowedTools(Struct, frozen=True, forbid_unknown_fields=True, tag="allowed_tools"):
    """A choice among tools."""

    allowed_tools: Allowed


def parse_tools(tools: list[Tool] | None) -> tuple[Function, ...]:
    """The functions and custom tools that are offered. Raises Invalid or Unsupported that names the tool."""
    places = [(tool, f"tools[{index}]") for index, tool in enumerate(tools or [])]
    return unique([(_tool(tool, path), f"{path}.{tool.get('type', 'function')}") for tool, path in places])


def parse_functions(functions: list[Any]) -> tuple[Function, ...]:
    """The legacy functions that are offered. Raises Invalid that names the function."""
    paths = [f"functions[{index}]" for index in range(len(functions))]
    bodies = [read(one, FunctionBody, path) for one, path in zip(functions, paths, strict=True)]
    return unique([(function(one, path, False), path) for one, path in zip(bodies, paths, strict=True)])


def parse_choice(given: str | dict[str, Any] | None, offered: tuple[Function, ...]) -> Choice:
    """What the model may or must call. Raises Invalid or Unsupported."""
    if given is None:
        return Choice()
    if isinstance(given, str):
        return choice(choice_mode(given), (), offered)
    if given.get("type") == "allowed_tools":
        allowed = read(given, AllowedTools, "tool_choice").allowed_tools
        return choice(allowed.mode, tuple(map(_name, allowed.tools)), offered)
    if given.get("type") not in ("function", "custom"):
        raise Unsupported(
            "Unsupported value: 'tool_choice.type' is only supported here as 'function', 'custom' or 'allowed_tools'.",
            "tool_choice.type",
            "unsupported_value",
        )
    wanted: Any = NamedChoice
    return choice("required", (_name(read(given, wanted, "tool_choice")),), offered)


def parse_function_call(given: str | dict[str, Any] | None, offered: tuple[Function, ...]) -> Choice:
    """The legacy choice of a function. Raises Invalid that names `function_call`."""
    try:
        if isinstance(given, dict):
            return choice("required", (read(given, Named, "function_call").name,), offered)
        return Choice() if given is None else choice(choice_mode(given), (), offered)
    except Invalid as fault:
        raise Invalid(fault.message, fault.code, "function_call") from None


def _name(chosen: NamedChoice) -> str:
    return chosen.function.name if isinstance(chosen, FunctionChoice) else chosen.custom.name


def _tool(tool: Tool, path: str) -> Function:
    kind = tool.get("type", "function")
    if kind == "function":
        return function(read(tool, FunctionTool, path).function, f"{path}.function", default_strict=False)
    if kind != "custom":
        raise Unsupported(
            f"Unsupported value: '{path}.type' does not support '{kind}' on this server. "
            "Supported values are: 'function' and 'custom'.",
            f"{path}.type",
            "unsupported_value",
        )
    body = read(tool, CustomTool, path).custom
    given = body.format.grammar if isinstance(body.format, GrammarFormat) else None
    syntax = "text" if given is None else given.syntax
    return custom(body.name, body.description, syntax, given and given.definition, f"{path}.custom")
