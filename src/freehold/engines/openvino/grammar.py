"""What an answer of OpenVINO may be: what XGrammar decodes by, and LLGuidance verifies."""

from typing import Any

from msgspec.structs import replace

from freehold.core.errors import EngineFailed, Invalid
from freehold.core.prompt import Function, Prompt
from freehold.engines.llama.grammar import Grammars
from freehold.engines.llama.rest import Rest
from freehold.engines.openvino.answers import answer
from freehold.engines.openvino.pattern import expression
from freehold.engines.openvino.rules import Rules, Unheld, class_of, those
from freehold.engines.openvino.schema import held_part, write
from freehold.engines.parsers.render import offered

_ANY_OBJECT: dict[str, Any] = {"type": "object"}


class OpenVinoGrammars(Grammars):
    """Writes the grammars of an engine that reads EBNF.

    A schema that is not strict is held to as far as it can be, in both notations alike.
    """

    async def check(self, prompt: Prompt) -> None:
        """Refuse what decoding cannot be held to. Raises Invalid that names `tools` or `format`."""
        await super().check(prompt)
        for one in offered(prompt):
            _check_function(one)
        wanted = prompt.format
        if wanted is not None and wanted.strict:
            try:
                write(Rules(), wanted.schema or _ANY_OBJECT)
            except Unheld as reason:
                raise _invalid(
                    f"schema for response_format '{wanted.name}'", reason, "json_schema", "format"
                ) from reason
        try:
            await self._spelled(prompt)
        except Unheld as reason:
            where = "tools" if offered(prompt) else "format"
            raise _invalid("request", reason, "grammar", where) from reason

    async def spell(self, prompt: Prompt, grammar: str) -> str:
        """Return the EBNF of a checked prompt's answer, empty where there is no grammar. Raises EngineFailed."""
        try:
            return await self._spelled(prompt) if grammar else ""
        except Unheld as reason:
            raise EngineFailed(f"The grammar of this answer could not be made: {reason}.") from reason

    def follow(self, grammar: str, written: str) -> Rest:
        """Return the rest of an answer of which something is `written`. Raises EngineFailed where that cannot be."""
        return Rest(grammar, written, self._bytes, lambda characters: f"root ::= {class_of(those(characters))}\n")

    async def _spelled(self, prompt: Prompt) -> str:
        return answer(await self._settled(prompt)) if prompt.format or offered(prompt) else ""

    async def _written(self, prompt: Prompt) -> str:
        return await super()._written(await self._settled(prompt))

    async def _settled(self, prompt: Prompt) -> Prompt:
        """The prompt with nothing in its schemas but what is held to."""
        functions = [one if one.strict or one.free else await self._settle(one) for one in prompt.functions]
        wanted = prompt.format
        if wanted is not None and not wanted.strict:
            wanted = replace(wanted, schema=await self._part(wanted.schema or _ANY_OBJECT), strict=True)
        return replace(prompt, functions=tuple(functions), format=wanted)

    async def _settle(self, one: Function) -> Function:
        return replace(one, parameters=await self._part(one.parameters or _ANY_OBJECT), strict=True)

    async def _part(self, schema: dict[str, Any]) -> dict[str, Any]:
        part = held_part(schema)
        return _ANY_OBJECT if await self.flaw_of(part) else part


def _check_function(one: Function) -> None:
    try:
        if one.free == "lark":
            raise Unheld("a Lark grammar")
        if one.free == "regex":
            expression(Rules(), one.definition, quoted=False)
        elif one.strict:
            write(Rules(), one.parameters or _ANY_OBJECT)
    except Unheld as reason:
        if one.free:
            kind = "regular expression" if one.free == "regex" else "grammar"
            raise _invalid(f"{kind} for custom tool '{one.name}'", reason, "grammar", "tools") from reason
        raise _invalid(f"schema for function '{one.name}'", reason, "function_parameters", "tools") from reason


def _invalid(what: str, reason: Unheld, code: str, param: str) -> Invalid:
    return Invalid(
        f"Invalid {what}: OpenVINO, which runs this model, cannot hold answers to {reason}. "
        "An engine of kind `llama` can.",
        f"invalid_{code}",
        param,
    )
