"""Functions as they are offered on the wire, for every surface that offers them."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from freehold.core.errors import Invalid
from freehold.core.prompt import Choice, ChoiceMode, Function
from freehold.surfaces.schema import NAME, check_strict, is_strict

MOST_FUNCTIONS = 128

Name = Annotated[str, Meta(min_length=1)]


class FunctionBody(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A function's definition, as it stands inside the tool of either surface."""

    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


def function(body: FunctionBody, path: str, default_strict: bool) -> Function:
    """Check one definition at `path`. Where `strict` is left out and `default_strict`, it is strict if it can be.

    Raises Invalid.
    """
    if not NAME.fullmatch(body.name):
        raise Invalid(
            f"Invalid '{path}.name': string does not match pattern. Expected a string that matches the pattern "
            "'^[a-zA-Z0-9_-]+$' of at most 64 characters.",
            "invalid_value",
            f"{path}.name",
        )
    parameters = body.parameters or {}
    if body.strict:
        check_strict(parameters or {"type": "object"}, f"function '{body.name}'", f"{path}.parameters")
    elif parameters and parameters.get("type", "object") != "object":
        raise Invalid(
            f"Invalid schema for function '{body.name}': schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: \"{parameters.get('type')}\"'.",
            "invalid_function_parameters",
            f"{path}.parameters",
        )
    strict = body.strict if body.strict is not None else default_strict and bool(parameters) and is_strict(parameters)
    return Function(name=body.name, description=body.description, parameters=parameters, strict=bool(strict))


def functions(bodies: Sequence[FunctionBody], paths: Sequence[str], default_strict: bool) -> tuple[Function, ...]:
    """Check all definitions. Raises Invalid, also for two of one name."""
    if len(bodies) > MOST_FUNCTIONS:
        raise Invalid(
            f"Invalid 'tools': array too long. Expected an array with maximum length {MOST_FUNCTIONS}, but got an "
            f"array with length {len(bodies)} instead.",
            "array_above_max_length",
            "tools",
        )
    found: dict[str, Function] = {}
    for body, path in zip(bodies, paths, strict=True):
        if body.name in found:
            raise Invalid(f"Duplicate function name '{body.name}' in 'tools'.", "invalid_value", f"{path}.name")
        found[body.name] = function(body, path, default_strict)
    return tuple(found.values())


def choice_mode(given: str) -> ChoiceMode:
    """Read a tool choice that is a word. Raises Invalid."""
    modes: dict[str, ChoiceMode] = {"none": "none", "auto": "auto", "required": "required"}
    if given not in modes:
        raise Invalid(
            f"Invalid value: '{given}'. Supported values are: 'none', 'auto', and 'required'.",
            "invalid_value",
            "tool_choice",
        )
    return modes[given]


def choice(mode: ChoiceMode, names: tuple[str, ...], offered: tuple[Function, ...]) -> Choice:
    """Check a tool choice against the functions that are offered. Raises Invalid."""
    known = {one.name for one in offered}
    for name in names:
        if name not in known:
            raise Invalid(f"Tool choice '{name}' not found in 'tools' parameter.", "invalid_value", "tool_choice")
    if mode == "required" and not offered:
        raise Invalid("Tool choice 'required' must be specified with 'tools' parameter.", None, "tool_choice")
    return Choice(mode, names)
