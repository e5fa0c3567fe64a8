"""Whole answers as EBNF: the same that `engines.llama.grammar` says in the dialect of LLGuidance, or less of it.

It is less where a value can be spelled in several ways, and never more: finished answers are verified by the other.
"""

from collections.abc import Mapping
from typing import Any

from freehold.core.prompt import Function, Prompt
from freehold.engines.openvino.pattern import expression
from freehold.engines.openvino.rules import Rules, Unheld, all_but, class_of, either, literal, those
from freehold.engines.openvino.schema import write
from freehold.engines.parsers.render import TEXT_INPUT, offered

_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_SPACE = " \n\t"
_S = f"{class_of(those(_SPACE))}*"
_MOST_CALLS = 8
_LINE, _CLOSING, _ARGUMENTS = literal("\n"), literal("\n</tool_call>"), literal('"arguments"')
_TAIL = f'{_S} ("</tool_call>" | "```")? {_S}'


def answer(prompt: Prompt) -> str:
    """Return the EBNF of a prompt's answers; all its schemas are strict. Raises Unheld."""
    rules, functions, wanted = Rules(), offered(prompt), prompt.format
    formatted = None if wanted is None else write(rules, wanted.schema or _ANY_OBJECT)
    if not functions:
        return rules.text(formatted or '""')
    inputs = {one.name: rules.add(_input(rules, one)) for one in functions}
    if prompt.choice.mode == "required":
        call = rules.add(either([_tagged(one, inputs, last=False) for one in functions]))
        last = rules.add(either([_tagged(one, inputs, last=True) for one in functions]))
        return rules.text(f"({call} {_LINE}){{0,{_MOST_CALLS - 1}}} {last}" if prompt.parallel else last)
    if formatted is not None:
        return rules.text(either([formatted, *(_tagged(one, inputs, last=False) for one in functions)]))
    calls = {one.name: rules.add(_rest(one, inputs[one.name])) for one in functions}
    return rules.text(_Text(rules, calls).root(prompt.parallel))


def _input(rules: Rules, one: Function) -> str:
    if one.free == "regex":
        return expression(rules, one.definition, quoted=False)
    if one.free == "lark":
        raise Unheld("a grammar")
    return write(rules, TEXT_INPUT if one.free else one.parameters or _ANY_OBJECT)


def _tagged(one: Function, inputs: Mapping[str, str], last: bool) -> str:
    """A call between tags. A model that forgets the tag behind a custom tool's input may end the answer there."""
    if one.free == "regex":
        closing = f"({_CLOSING})?" if last else _CLOSING
        opening = literal('<tool_call>\n{"name": "' + one.name + '"}\n')
        return f"{opening} {inputs[one.name]} {closing}"
    opening = literal('<tool_call>\n{"name": "' + one.name + '", "arguments": ')
    return f"{opening} {inputs[one.name]} {literal('}')} {_CLOSING}"


def _rest(one: Function, given: str) -> str:
    """What follows the name of a function in a call of it."""
    if one.free == "regex":
        return f'{_S} "}}" {_LINE} {given} {_CLOSING}'
    return f'{_S} "," {_S} {_ARGUMENTS} {_S} ":" {_S} {given} {_S} "}}"'


class _Text:
    """Any text in which an object that begins by naming a function goes on as a call of it.

    What follows a brace is read a character at a time along the beginning of a call, in three ways: as a chunk of text,
    which leaves that path; as the end of the text, which stops on it; and as a call, which comes to its end.
    """

    def __init__(self, rules: Rules, calls: Mapping[str, str]) -> None:
        """`calls` are the rules of what follows each function's name."""
        self._rules = rules
        self._calls = calls
        self._names = {way: rules.reserve() for way in ("chunk", "end", "call")}
        self._mixed = False

    def root(self, parallel: bool) -> str:
        """The expression of the text; with `parallel`, any number of calls may stand in it, else one, at its end."""
        self._mixed = parallel
        ways = ("chunk", "end") if parallel else ("chunk", "end", "call")
        for way in ways:
            self._rules.define(self._names[way], self._path(way, '"name":"', ""))
        plain = class_of(all_but(those("{")))
        chunks = f'({plain}* "{{" {self._names["chunk"]})* {plain}*'
        last = [f'"{{" {self._names[way]}' for way in ways[1:]]
        return f"{chunks} ({' | '.join(last)})?"

    def _path(self, way: str, left: str, named: str) -> str:
        """What may follow where `left` is to come before the name, of which `named` is written."""
        if left:
            spaced = left in ('"name":"', ':"', '"')
            following = {left[0]: self._step(way, left[1:], "")}
        else:
            spaced = False
            chars = {name[len(named)] for name in self._calls if name.startswith(named) and name != named}
            following = {char: self._step(way, "", named + char) for char in sorted(chars)}
            if named in self._calls and (way == "call" or (way == "chunk" and self._mixed)):
                following['"'] = f"{self._calls[named]} {_TAIL if way == 'call' else ''}".strip()
        met = set(following) | ({'"'} if named in self._calls else set())
        ways = [f"{literal(char)} {then}" for char, then in following.items()]
        ways.append(f'"{{" {self._names[way]}')
        if way == "chunk":
            ways.append(class_of(all_but(those([*met, "{", *(_SPACE if spaced else "")]))))
        if way == "end":
            ways.append('""')
        return f"{_S} {either(ways)}" if spaced else either(ways)

    def _step(self, way: str, left: str, named: str) -> str:
        return self._rules.add(self._path(way, left, named))
