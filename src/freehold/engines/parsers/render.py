"""Functions, calls, their results and the wanted format as plain turns, in the Hermes notation.

The notation is the one that Qwen, Hermes and many other models were trained on (the tool section of Qwen2.5's chat
template); written out by us, it also serves models whose template knows no tools.
"""

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

_RESULTS = "\n\nUse this to answer the question. Call a function again only if something is missing."
"""What follows the last results: without it small models make the same call again."""


def render(prompt: Prompt) -> tuple[Turn, ...]:
    """Return the prompt's turns with nothing but text in them."""
    turns: list[Turn] = []
    for turn in prompt.turns:
        if turn.speaker == "tool":
            result = f"<tool_response>\n{turn.text}\n</tool_response>"
            if turns and turns[-1].call_id is not None:
                turns[-1] = Turn("user", f"{turns[-1].text}\n{result}", call_id=turn.call_id)
            else:
                turns.append(Turn("user", result, call_id=turn.call_id))
        else:
            said = [turn.text] if turn.text or not turn.calls else []
            turns.append(Turn(turn.speaker, "\n".join((*said, *map(_call, turn.calls)))))
    if turns and turns[-1].call_id is not None:
        turns[-1] = Turn("user", turns[-1].text + _RESULTS)
    rules = [*_tools(prompt), *_format(prompt.format)]
    if rules:
        if turns and turns[0].speaker == "system":
            turns[0] = Turn("system", "\n\n".join((turns[0].text, *rules)))
        else:
            turns.insert(0, Turn("system", "\n\n".join(("You are a helpful assistant.", *rules))))
    return tuple(Turn(turn.speaker, turn.text) for turn in turns)


def offered(prompt: Prompt) -> tuple[Function, ...]:
    """The functions that the model may call now."""
    choice = prompt.choice
    if choice.mode == "none":
        return ()
    return tuple(one for one in prompt.functions if not choice.names or one.name in choice.names)


def _tools(prompt: Prompt) -> list[str]:
    functions = offered(prompt)
    if not functions:
        return []
    signatures = "\n".join(_signature(one) for one in functions)
    rules = [_TOOLS.format(signatures=signatures)]
    if prompt.choice.mode == "required":
        rules.append("You must call a function now.")
    return rules


def _signature(function: Function) -> str:
    signature = {"name": function.name, "description": function.description or "", "parameters": function.parameters}
    return json.encode({"type": "function", "function": signature}).decode()


def _format(wanted: JsonFormat | None) -> list[str]:
    if wanted is None:
        return []
    if wanted.schema is None:
        return ["Answer with a JSON object and nothing else."]
    about = f" ({wanted.description})" if wanted.description else ""
    schema = json.encode(wanted.schema).decode()
    return [f"Answer with JSON{about} that follows this JSON schema, and with nothing else:\n{schema}"]


def _call(call: Call) -> str:
    name = json.encode(call.name).decode()
    return f'<tool_call>\n{{"name": {name}, "arguments": {call.arguments}}}\n</tool_call>'
