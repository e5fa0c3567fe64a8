"""Functions, calls, their results and the wanted format as plain turns, in the Hermes notation.

The notation is the one that Qwen, Hermes and many other models were trained on (the tool section of Qwen2.5's chat
template); written out by us, it also serves models whose template knows no tools.
"""

import sys

from msgspec import json

from freehold.core.prompt import Call, Function, JsonFormat, Prompt, Turn

_TOOLS = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""

_CUSTOM = """You can also use these tools, whose input is plain text:
{tools}

To use one, write its name in a json object and its input on the lines below it, and nothing else, like this:
<tool_call>
{{"name": "{name}"}}
the input
</tool_call>"""

TEXT_INPUT = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
"""The arguments of a custom tool that takes any text: models know JSON better than any other notation."""

_THINKING = "Before you answer, think {} between <think> and </think>: {}. After </think>, give only the answer."
_HOW = (
    (128, ("in a few words", "what is asked, and what follows at once")),
    (512, ("step by step", "work out what is asked and how to get there")),
    (
        sys.maxsize,
        (
            "at length",
            "write down every step, try a second way, compare the two, and look for mistakes before you decide",
        ),
    ),
)
"""How a model that was not trained to think is told to, for budgets up to so many tokens: the more, the longer."""

_RESULTS = (
    "\n\nNow answer my question from these results, in plain words. Call a function again only if something is missing."
)
"""What follows the last results: without it small models make the same call again, or repeat the question."""


def render(prompt: Prompt, prompted: bool = False) -> tuple[Turn, ...]:
    """Return the prompt's turns with nothing but text and images in them.

    `prompted` is for models that think only where they are told how.
    """
    kinds = {one.name: one.free for one in prompt.functions}
    turns: list[Turn] = []
    for turn in prompt.turns:
        if turn.speaker == "tool":
            result = f"<tool_response>\n{turn.text}\n</tool_response>"
            if turns and turns[-1].call_id is not None:
                before = turns.pop()
                result = f"{before.text}\n{result}"
                images = before.images + turn.images
            else:
                images = turn.images
            turns.append(Turn("user", result, call_id=turn.call_id, images=images))
        else:
            thought = [f"<think>\n{turn.thought}\n</think>\n"] if turn.thought else []
            said = [turn.text] if turn.text or not turn.calls else []
            text = "\n".join((*thought, *said, *(_call(call, kinds.get(call.name)) for call in turn.calls)))
            turns.append(Turn(turn.speaker, text, images=turn.images))
    if turns and turns[-1].call_id is not None:
        turns[-1] = Turn("user", turns[-1].text + _RESULTS, images=turns[-1].images)
    thinking = [_thinking(prompt.thinking)] if prompt.thinking and prompted else []
    rules = [*_tools(prompt), *_format(prompt.format), *thinking]
    if rules:
        if turns and turns[0].speaker == "system":
            turns[0] = Turn("system", "\n\n".join((turns[0].text, *rules)), images=turns[0].images)
        else:
            turns.insert(0, Turn("system", "\n\n".join(("You are a helpful assistant.", *rules))))
    return tuple(Turn(turn.speaker, turn.text, images=turn.images) for turn in turns)


def render_said(prompt: Prompt) -> str:
    """Return what was said of an answer that is gone on with, as the model wrote it or could have."""
    kinds = {one.name: one.free for one in prompt.functions}
    said = prompt.begun.said
    return "\n".join(one if isinstance(one, str) else _call(one, kinds.get(one.name)) for one in said)


def offered(prompt: Prompt) -> tuple[Function, ...]:
    """The functions that the model may call now."""
    choice = prompt.choice
    if choice.mode == "none" or not prompt.functions:
        return ()
    return tuple(one for one in prompt.functions if not choice.names or one.name in choice.names)


def _tools(prompt: Prompt) -> list[str]:
    functions = [one for one in offered(prompt) if one.free in (None, "text")]
    custom = [one for one in offered(prompt) if one.free in ("lark", "regex")]
    rules: list[str] = []
    if functions:
        rules.append(_TOOLS.format(signatures="\n".join(map(_signature, functions))))
    if custom:
        rules.append(_CUSTOM.format(tools="\n".join(map(_about, custom)), name=custom[0].name))
    if rules and prompt.choice.mode == "required":
        rules.append("You must call a function now.")
    return rules


def _about(tool: Function) -> str:
    lines = [f"- {tool.name}: {tool.description or 'no description'}"]
    if tool.definition:
        kind = "this regular expression" if tool.free == "regex" else "this Lark grammar"
        lines.append(f"  Its input follows {kind}:\n{tool.definition}")
    return "\n".join(lines)


def _signature(function: Function) -> str:
    parameters = TEXT_INPUT if function.free else function.parameters
    signature = {"name": function.name, "description": function.description or "", "parameters": parameters}
    return json.encode({"type": "function", "function": signature}).decode()


def _thinking(budget: int) -> str:
    return next(_THINKING.format(*how) for most, how in _HOW if budget <= most)


def _format(wanted: JsonFormat | None) -> list[str]:
    if wanted is None:
        return []
    if wanted.schema is None:
        return ["Answer with a JSON object and nothing else."]
    about = f" ({wanted.description})" if wanted.description else ""
    schema = json.encode(wanted.schema).decode()
    return [f"Answer with JSON{about} that follows this JSON schema, and with nothing else:\n{schema}"]


def _call(call: Call, kind: str | None) -> str:
    name = json.encode(call.name).decode()
    if call.free and kind in (None, "text"):
        arguments = json.encode({"input": call.arguments}).decode()
        return f'<tool_call>\n{{"name": {name}, "arguments": {arguments}}}\n</tool_call>'
    if call.free:
        return f'<tool_call>\n{{"name": {name}}}\n{call.arguments}\n</tool_call>'
    return f'<tool_call>\n{{"name": {name}, "arguments": {call.arguments}}}\n</tool_call>'
