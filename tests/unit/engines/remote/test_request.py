"""Prompts as bodies, in each dialect."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.errors import Unsupported
from freehold.core.prompt import (
    IMAGE,
    Begun,
    Caching,
    Call,
    Choice,
    Function,
    Image,
    JsonFormat,
    Prompt,
    Sampling,
    Turn,
)
from freehold.engines.remote.dialects import DIALECTS
from freehold.engines.remote.request import check, request

ASKED = Prompt(model="m", turns=(Turn("user", "hi"),))
WEATHER = Function(name="weather", description="d", parameters={"type": "object", "properties": {}}, strict=True)
REGEX = Function(name="date", free="regex", definition=r"\d+")


def body(prompt: Prompt, dialect: str = "plain") -> dict[str, Any]:
    return json.loads(request(prompt, DIALECTS[dialect], "salt").body)


def test_says_no_more_than_it_was_told() -> None:
    assert body(ASKED) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_sampling() -> None:
    wanted = Sampling(
        temperature=0.5,
        top_p=0.9,
        max_tokens=7,
        stop=("x",),
        seed=3,
        presence_penalty=1.0,
        frequency_penalty=-1.0,
        logit_bias={5: -100.0},
        logprobs=2,
    )
    told = body(replace(ASKED, sampling=wanted))
    for name, value in {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7, "stop": ["x"], "seed": 3}.items():
        assert told[name] == value
    assert (told["presence_penalty"], told["frequency_penalty"]) == (1.0, -1.0)
    assert told["logit_bias"] == {"5": -100.0}
    assert (told["logprobs"], told["top_logprobs"]) == (True, 2)
    assert body(replace(ASKED, sampling=wanted), "openai")["max_completion_tokens"] == 7


def test_calls_and_their_results() -> None:
    call, free = Call("c1", "weather", '{"a":1}'), Call("c2", "date", 'x "y"', free=True)
    turns = (Turn("assistant", "", (call, free), thought="hm"), Turn("tool", "sun", call_id="c1"))
    said, result = body(replace(ASKED, turns=turns))["messages"]
    assert said["content"] is None
    assert "reasoning_content" not in said
    assert said["tool_calls"][0] == {
        "id": "c1",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"a":1}'},
    }
    assert json.loads(said["tool_calls"][1]["function"]["arguments"]) == {"input": 'x "y"'}
    assert result == {"role": "tool", "tool_call_id": "c1", "content": "sun"}
    own = body(replace(ASKED, turns=turns), "freehold")["messages"][0]["tool_calls"][1]
    assert own == {"id": "c2", "type": "custom", "custom": {"name": "date", "input": 'x "y"'}}
    assert body(replace(ASKED, turns=turns), "vllm")["messages"][0]["reasoning_content"] == "hm"


def test_images_stand_where_they_belong() -> None:
    turn = Turn("user", f"a{IMAGE}b{IMAGE}", images=(Image(b"\x89PNG1"), Image(b"\xff\xd8")))
    parts = body(replace(ASKED, turns=(turn,)))["messages"][0]["content"]
    assert [part["type"] for part in parts] == ["text", "image_url", "text", "image_url"]
    assert parts[1]["image_url"]["url"].startswith("data:image/png;base64,")
    assert parts[3]["image_url"]["url"].startswith("data:image/jpeg;base64,")


def test_only_what_may_be_called_is_offered() -> None:
    other = Function(name="other")
    asked = replace(ASKED, functions=(WEATHER, other), choice=Choice("required", ("weather",)), parallel=False)
    told = body(asked)
    assert [tool["function"]["name"] for tool in told["tools"]] == ["weather"]
    assert told["tools"][0]["function"]["strict"] is True
    assert (told["tool_choice"], told["parallel_tool_calls"]) == ("required", False)
    assert "tools" not in body(replace(asked, choice=Choice("none")))


def test_custom_tools() -> None:
    asked = replace(ASKED, functions=(replace(REGEX, free="text"), REGEX))
    plain, own = body(asked)["tools"][0], body(asked, "openai")["tools"]
    assert plain["function"]["parameters"]["required"] == ["input"]
    assert own[0]["custom"]["format"] == {"type": "text"}
    assert own[1]["custom"]["format"]["grammar"] == {"syntax": "regex", "definition": r"\d+"}


@pytest.mark.parametrize(
    ("dialect", "place"),
    [("vllm", ("structured_outputs", "regex")), ("sglang", ("regex",))],
)
def test_a_tool_with_a_grammar_is_written_alone(dialect: str, place: tuple[str, ...]) -> None:
    asked = replace(ASKED, functions=(REGEX,), choice=Choice("required"))
    check(asked, DIALECTS[dialect])
    told: Any = body(asked, dialect)
    assert "tools" not in told
    assert "date" in told["messages"][0]["content"]
    for name in place:
        told = told[name]
    assert told == r"\d+"


@pytest.mark.parametrize(
    ("dialect", "choice"),
    [("plain", "required"), ("ollama", "auto"), ("llama-server", "required"), ("vllm", "auto")],
)
def test_or_refused(dialect: str, choice: Any) -> None:
    with pytest.raises(Unsupported) as refused:
        check(replace(ASKED, functions=(REGEX,), choice=Choice(choice)), DIALECTS[dialect])
    assert refused.value.param == "tools"


def test_formats() -> None:
    assert body(replace(ASKED, format=JsonFormat()))["response_format"] == {"type": "json_object"}
    told = body(replace(ASKED, format=JsonFormat(schema={"type": "object"}, name="n", strict=True)))
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    assert told["response_format"] == {"type": "json_schema", "json_schema": schema}


@pytest.mark.parametrize(
    ("dialect", "effort", "told"),
    [
        ("openai", "none", {"reasoning_effort": "none"}),
        ("vllm", "high", {"reasoning_effort": "high"}),
        ("vllm", "none", {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}}),
        ("ollama", None, {}),
    ],
)
def test_effort(dialect: str, effort: Any, told: dict[str, object]) -> None:
    found = body(replace(ASKED, effort=effort), dialect)
    assert {name: found[name] for name in ("reasoning_effort", "chat_template_kwargs") if name in found} == told


def test_projects_are_kept_apart() -> None:
    def salt(owner: str, dialect: str = "vllm", family: str | None = None) -> dict[str, object]:
        told = body(replace(ASKED, caching=Caching(owner=owner, family=family)), dialect)
        return {name: told[name] for name in ("cache_salt", "prompt_cache_key") if name in told}

    assert salt("a") == salt("a", family="f") != salt("b")
    assert salt("a", "openai") == salt("a", "plain", "f") == {}
    assert salt("a", "openai", "f") != salt("b", "openai", "f")
    assert salt("a", "sglang") == salt("a") != {}


def test_one_that_cannot_keep_them_apart_is_told_to_reuse_nothing() -> None:
    for dialect, told in (("llama-server", {"cache_prompt": False}), ("vllm", {}), ("plain", {})):
        alone, shared = (json.loads(request(ASKED, DIALECTS[dialect], "s", one).body) for one in (True, False))
        assert shared == alone | told


def test_raw_texts() -> None:
    told = request(Prompt(model="m", turns=(), raw="once", suffix="end"), DIALECTS["ollama"], "s")
    assert told.path == "/completions"
    assert json.loads(told.body)["prompt"] == "once"
    assert json.loads(told.body)["suffix"] == "end"
    tokens = Prompt(model="m", turns=(), raw="once", tokens=(5, 6), sampling=Sampling(logprobs=0, max_tokens=1))
    assert json.loads(request(tokens, DIALECTS["vllm"], "s").body)["prompt"] == [5, 6]
    assert json.loads(request(tokens, DIALECTS["plain"], "s").body)["prompt"] == "once"


@pytest.mark.parametrize(
    ("asked", "dialect", "param"),
    [
        (Prompt(model="m", turns=(), raw="a", suffix="b"), "vllm", "suffix"),
        (replace(ASKED, sampling=Sampling(logit_bias={1: 1.0})), "ollama", "logit_bias"),
        (replace(ASKED, functions=(WEATHER,), choice=Choice("required")), "ollama", "tool_choice"),
    ],
)
def test_what_it_cannot_do_is_refused(asked: Prompt, dialect: str, param: str) -> None:
    with pytest.raises(Unsupported) as refused:
        check(asked, DIALECTS[dialect])
    assert refused.value.param == param


def test_what_was_begun_is_gone_on_with() -> None:
    asked = replace(ASKED, begun=Begun(said=("Once ", "upon")))
    told = body(asked, "vllm")
    assert told["messages"][-1] == {"role": "assistant", "content": "Once upon"}
    assert (told["continue_final_message"], told["add_generation_prompt"]) == (True, False)
    assert "continue_final_message" not in body(asked, "llama-server")
