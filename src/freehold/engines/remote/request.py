"""A prompt as the body of a request to an upstream."""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, json

from freehold.core.errors import Unsupported
from freehold.core.prompt import IMAGE, Call, Function, Image, JsonFormat, Prompt, Turn
from freehold.engines.parsers.render import TEXT_INPUT, offered
from freehold.engines.remote.dialects import Dialect

_PNG = b"\x89PNG"
_ANY_OBJECT: dict[str, Any] = {"type": "object"}
_WRITE = (
    "Write the input of the tool {name} now: {about}. Its input follows this {kind}, and you write nothing else:\n"
    "{definition}"
)
_GRAMMARS = {
    ("structured_outputs", "lark"): ("structured_outputs", "grammar"),
    ("structured_outputs", "regex"): ("structured_outputs", "regex"),
    ("guided", "lark"): (None, "guided_grammar"),
    ("guided", "regex"): (None, "guided_regex"),
    ("sglang", "regex"): (None, "regex"),
}
"""Where a dialect wants a grammar: the object that it is in, and its name there."""


class Request(Struct, frozen=True):
    """What is sent: the path behind the API's own, and the body."""

    path: str
    body: bytes


def request(prompt: Prompt, dialect: Dialect, salt: str, alone: bool = True) -> Request:
    """Return the request for a prompt that `check` has let pass.

    `salt` belongs to this upstream. `alone` says that what it has read may be reused: it was all from one project.
    """
    body: dict[str, Any] = {
        "model": prompt.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(prompt, dialect),
        **_caching(prompt, dialect, salt),
        **({} if alone or not dialect.cache_prompt else {"cache_prompt": False}),
    }
    if prompt.raw is not None:
        body["prompt"] = prompt.raw if not prompt.tokens or not dialect.tokens else prompt.tokens
        if prompt.suffix is not None:
            body["suffix"] = prompt.suffix
        if prompt.sampling.logprobs is not None:
            body["logprobs"] = prompt.sampling.logprobs
        return Request("/completions", json.encode(body))
    if prompt.sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": prompt.sampling.logprobs}
    forced = written_alone(prompt, dialect)
    body["messages"] = list(messages(prompt, dialect))
    if forced is not None:
        body["messages"].insert(0, {"role": "system", "content": _told(forced)})
        inside, name = _GRAMMARS[dialect.grammar, forced.free or ""]
        body |= {name: forced.definition} if inside is None else {inside: {name: forced.definition}}
    else:
        body |= _tools(prompt, dialect) | _format(prompt.format)
    if begun := _begun(prompt):
        body["messages"].append({"role": "assistant", "content": begun})
        if dialect.going_on == "continue_final_message":
            body |= {"continue_final_message": True, "add_generation_prompt": False}
    body |= _effort(prompt, dialect)
    return Request("/chat/completions", json.encode(body))


def check(prompt: Prompt, dialect: Dialect) -> None:
    """Refuse what the upstream cannot do. Raises Unsupported and Invalid."""
    if prompt.suffix is not None and not dialect.suffix:
        raise Unsupported("Unsupported parameter: 'suffix' is not supported with this model.", "suffix")
    if prompt.sampling.logit_bias and not dialect.biases:
        raise Unsupported("Unsupported parameter: 'logit_bias' is not supported with this model.", "logit_bias")
    if prompt.choice.mode == "required" and not dialect.forced:
        raise Unsupported("The server of this model cannot be made to call a function.", "tool_choice")
    if dialect.custom or not any(one.free in ("lark", "regex") for one in offered(prompt)):
        return
    if written_alone(prompt, dialect) is None:
        raise Unsupported(
            "The server of this model cannot hold a custom tool to this grammar; some can, where the tool is the only "
            "one that may be called, and must be.",
            "tools",
        )


def written_alone(prompt: Prompt, dialect: Dialect) -> Function | None:
    """Return the custom tool whose input is the whole answer: it is held to a grammar, and nothing else may be said."""
    functions = offered(prompt)
    if dialect.custom or prompt.choice.mode != "required" or len(functions) != 1:
        return None
    return functions[0] if (dialect.grammar, functions[0].free) in _GRAMMARS else None


def messages(prompt: Prompt, dialect: Dialect) -> Iterator[dict[str, Any]]:
    """Yield the turns of a prompt as chat messages."""
    for turn in prompt.turns:
        yield _message(turn, dialect)


def tools(prompt: Prompt, dialect: Dialect) -> list[dict[str, Any]]:
    """The functions that may be called now, as they are offered to an upstream."""
    return [_tool(one, dialect) for one in offered(prompt)]


def _sampling(prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
    wanted = prompt.sampling
    told: dict[str, Any] = {}
    if wanted.temperature is not None:
        told["temperature"] = wanted.temperature
    if wanted.top_p is not None:
        told["top_p"] = wanted.top_p
    if wanted.max_tokens is not None:
        told["max_tokens" if prompt.raw is not None else dialect.limit] = wanted.max_tokens
    if wanted.stop:
        told["stop"] = wanted.stop
    if wanted.seed is not None:
        told["seed"] = wanted.seed
    if wanted.presence_penalty:
        told["presence_penalty"] = wanted.presence_penalty
    if wanted.frequency_penalty:
        told["frequency_penalty"] = wanted.frequency_penalty
    if wanted.logit_bias:
        told["logit_bias"] = {str(token): bias for token, bias in wanted.logit_bias.items()}
    return told


def _caching(prompt: Prompt, dialect: Dialect, salt: str) -> dict[str, Any]:
    """What keeps the prompts of a family together and those of projects apart."""
    owner, family = prompt.caching.owner, prompt.caching.family
    if dialect.salted and owner:
        return {"cache_salt": _hashed(salt, owner)}
    if dialect.family and family is not None:
        return {"prompt_cache_key": _hashed(salt, f"{owner}\0{family}")}
    return {}


def _hashed(salt: str, text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=24, key=salt.encode()[:64]).hexdigest()


def _message(turn: Turn, dialect: Dialect) -> dict[str, Any]:
    content: Any = turn.text if not turn.images else list(_parts(turn))
    if turn.speaker == "tool":
        return {"role": "tool", "tool_call_id": turn.call_id, "content": content}
    told: dict[str, Any] = {"role": turn.speaker, "content": content}
    if turn.calls:
        told["content"] = content or None
        told["tool_calls"] = [_call(one, dialect) for one in turn.calls]
    if turn.thought and dialect.thoughts:
        told["reasoning_content"] = turn.thought
    return told


def _parts(turn: Turn) -> Iterator[dict[str, Any]]:
    images = iter(turn.images)
    for number, text in enumerate(turn.text.split(IMAGE)):
        if number:
            yield {"type": "image_url", "image_url": {"url": _data_url(next(images))}}
        if text:
            yield {"type": "text", "text": text}


def _data_url(image: Image) -> str:
    kind = "png" if image.data.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{b64encode(image.data).decode()}"


def _call(call: Call, dialect: Dialect) -> dict[str, Any]:
    if call.free and dialect.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    arguments = json.encode({"input": call.arguments}).decode() if call.free else call.arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _tool(one: Function, dialect: Dialect) -> dict[str, Any]:
    about = {} if one.description is None else {"description": one.description}
    if one.free and dialect.custom:
        grammar = {"syntax": one.free, "definition": one.definition}
        kind = {"type": "text"} if one.free == "text" else {"type": "grammar", "grammar": grammar}
        return {"type": "custom", "custom": {"name": one.name, **about, "format": kind}}
    strict = {"strict": True} if one.strict else {}
    parameters = TEXT_INPUT if one.free else one.parameters or {**_ANY_OBJECT, "properties": {}}
    return {"type": "function", "function": {"name": one.name, **about, "parameters": parameters, **strict}}


def _tools(prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
    """The tools; of those that may not be called now the upstream is not told."""
    told = tools(prompt, dialect)
    if not told:
        return {}
    choice = {"tool_choice": "required"} if prompt.choice.mode == "required" else {}
    single = {} if prompt.parallel else {"parallel_tool_calls": False}
    return {"tools": told, **choice, **single}


def _told(tool: Function) -> str:
    kind = "regular expression" if tool.free == "regex" else "Lark grammar"
    about = tool.description or "no description"
    return _WRITE.format(name=tool.name, about=about, kind=kind, definition=tool.definition)


def _format(wanted: JsonFormat | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    if wanted.schema is None:
        return {"response_format": {"type": "json_object"}}
    about = {} if wanted.description is None else {"description": wanted.description}
    schema = {"name": wanted.name or "answer", **about, "schema": wanted.schema, "strict": wanted.strict}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _effort(prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
    """How much the model is to think, where the caller says so; templates are told of it where it is none."""
    effort = prompt.effort
    if effort is None:
        return {}
    if effort == "none" and dialect.template:
        return {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}
    return {"reasoning_effort": effort}


def _begun(prompt: Prompt) -> str:
    """What was said of the answer already."""
    return "".join(one for one in prompt.begun.said if isinstance(one, str))
