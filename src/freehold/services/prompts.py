"""Stored prompts: files in the data folder, with versions and variables.

`prompts/PROJECT/ID/VERSION.json` holds `instructions`, `messages` and, if it is to be used where a request names none,
a `model`. In their texts `{{name}}` stands for a variable.
"""

import asyncio
import re
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from freehold.core.errors import Invalid, NotFound, StorageFailed
from freehold.core.items import Given, InputText, Item, Message, OutputText, Part
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, Template

FOLDER = "prompts"
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")
_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class StoredMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """A message of a stored prompt."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str


class StoredPrompt(Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a stored prompt."""

    instructions: str | None = None
    messages: tuple[StoredMessage, ...] = ()
    model: str | None = None


class Prompts:
    """The stored prompts of every project, each seen by its own only."""

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER

    async def fill(self, who: Principal, ask: Ask, template: Template) -> Ask:
        """Return the ask with the template's instructions, messages and model, as far as it brings none itself.

        Raises NotFound for a prompt or version that is not there, Invalid for variables that do not fit, StorageFailed
        for a file that cannot be read.
        """
        stored = await asyncio.to_thread(self._read, who.project, template)
        texts = [stored.instructions or "", *(message.content for message in stored.messages)]
        known = {name for text in texts for name in _VARIABLE.findall(text)}
        for name in sorted(known ^ template.variables.keys()):
            verb = "Missing" if name in known else "Unknown"
            raise Invalid(f"{verb} prompt variable: '{name}'.", "invalid_prompt_variables", "prompt.variables")
        messages = tuple(_message(message, template.variables) for message in stored.messages)
        written = None if stored.instructions is None else _plain(stored.instructions, template.variables)
        return replace(
            ask,
            model=ask.model or stored.model,
            instructions=written if ask.instructions is None else ask.instructions,
            items=(*messages, *ask.items),
        )

    def _read(self, project: str, template: Template) -> StoredPrompt:
        missing = NotFound(f"Prompt with id '{template.id}' not found.", None, "prompt.id")
        if not _NAME.fullmatch(template.id):
            raise missing
        folder = self._folder / project / template.id
        versions = sorted((path for path in folder.glob("*.json") if _NAME.fullmatch(path.stem)), key=_order)
        if not versions:
            raise missing
        path = next((path for path in versions if path.stem == template.version), None)
        if template.version is not None and path is None:
            raise NotFound(
                f"Version '{template.version}' of the prompt '{template.id}' not found.", None, "prompt.version"
            )
        try:
            return msgspec.json.decode((path or versions[-1]).read_bytes(), type=StoredPrompt)
        except (OSError, msgspec.DecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error  # which alone would tell the whole path
            raise StorageFailed(f"The stored prompt '{template.id}' cannot be read: {why}.") from error


def _order(path: Path) -> tuple[int, str]:
    """Version 10 is newer than version 9, and words come before numbers."""
    return (int(path.stem) if path.stem.isdecimal() else -1, path.stem)


def _plain(text: str, variables: dict[str, str | Given]) -> str:
    def put(match: re.Match[str]) -> str:
        value = variables[match[1]]
        if isinstance(value, InputText):
            return value.text
        if isinstance(value, str):
            return value
        raise Invalid(
            f"The prompt variable '{match[1]}' must be text: it stands where no image or file can be.",
            "invalid_prompt_variables",
            "prompt.variables",
        )

    return _VARIABLE.sub(put, text)


def _message(message: StoredMessage, variables: dict[str, str | Given]) -> Item:
    if message.role == "assistant":
        return Message(role="assistant", content=(OutputText(_plain(message.content, variables)),))
    pieces = _VARIABLE.split(message.content)
    parts: list[Part] = []
    for place, piece in enumerate(pieces):
        value = variables[piece] if place % 2 else piece
        text = value if isinstance(value, str) else value.text if isinstance(value, InputText) else None
        if text is None:
            parts.append(value)  # pyright: ignore[reportArgumentType]  an image or a file
        elif parts and isinstance(parts[-1], InputText):
            parts[-1] = InputText(parts[-1].text + text)
        elif text:
            parts.append(InputText(text))
    return Message(role=message.role, content=tuple(parts) or (InputText(""),))
