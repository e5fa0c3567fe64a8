"""What upstreams say of themselves, and what is found out by trying."""

import asyncio
from typing import Any

import pytest

from freehold.core.errors import Fault
from freehold.engines.remote import probe as module
from freehold.engines.remote.address import address
from freehold.engines.remote.broken import Broken, Garbled
from freehold.engines.remote.client import Client, Patience
from freehold.engines.remote.probe import Ability, Facts, Probe
from tests.upstream import CHAT, Answering, Upstream, hang, reply, upstream

PATIENCE = Patience(connect=2.0, first=2.0, between=2.0)
_PER_RANK = "effective_max_running_requests_per_dp"


def learn(
    owner: str = "nobody",
    answers: dict[str, Answering] | None = None,
    names: tuple[str, ...] = (),
    dialect: str | None = None,
    abilities: tuple[str, ...] | None = None,
    **model: Any,
) -> tuple[Facts, Upstream]:
    """What a probe learns of an upstream with one model, `m`, and what that was asked."""

    async def main() -> tuple[Facts, Upstream]:
        async with asyncio.timeout(30), upstream(owner, **model) as up:
            for path, answer in (answers or {}).items():
                up.answer(path, answer)
            client = Client(address(up.url), None, PATIENCE)
            probe = Probe(client, dialect, abilities)
            facts = await probe.ask(names)
            facts = await probe.try_out(facts, tuple(facts.models))
            client.close()
            return facts, up

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("owner", "answers", "wanted"),
    [
        ("vllm", {"/version": reply({"version": "0.32.0"})}, ("vllm", "0.32.0", "structured_outputs")),
        ("vllm", {"/version": reply({"version": "0.9.2"})}, ("vllm", "0.9.2", "guided")),
        ("me", {"/version": reply({"version": "0.11.1rc1"})}, ("vllm", "0.11.1rc1", "structured_outputs")),
        ("sglang", {}, ("sglang", "", "sglang")),
        ("llamacpp", {"/props": reply({"build_info": "b7000-ab"})}, ("llama-server", "b7000-ab", "none")),
        ("library", {"/api/version": reply({"version": "0.12"})}, ("ollama", "0.12", "none")),
        ("freehold", {}, ("freehold", "", "none")),
        ("openai", {}, ("openai", "", "none")),
        ("somebody", {"/version": reply("<html>")}, ("plain", "", "none")),
    ],
)
def test_a_server_is_recognised(owner: str, answers: dict[str, Answering], wanted: tuple[str, str, str]) -> None:
    facts, _ = learn(owner, answers)
    assert (facts.dialect.name, facts.version, facts.dialect.grammar) == wanted
    assert facts.listed == {"m"}


def test_a_dialect_that_is_set_is_not_asked_for() -> None:
    facts, up = learn(dialect="plain", abilities=())
    assert (facts.dialect.name, [one.path for one in up.asked]) == ("plain", ["/v1/models"])


def test_what_servers_tell_of_a_model() -> None:
    assert learn("vllm", max_model_len=4096)[0].models["m"].context == 4096
    ours = learn("freehold", freehold={"context_length": 8192, "vision": "native"}, abilities=())[0].models["m"]
    assert (ours.context, ours.vision) == (8192, True)
    props = {
        "build_info": "b1",
        "default_generation_settings": {"n_ctx": 2048},
        "modalities": {"vision": True},
        "chat_template": "{{ '<think>' }}",
    }
    llama = learn("llamacpp", {"/props": reply(props)})[0].models["m"]
    assert llama == Ability(context=2048, schema=True, logprobs=True, thinking=True, vision=True)
    bare = learn("llamacpp", {"/props": reply({"build_info": "b1"})}, meta={"n_ctx_train": 512})[0].models["m"]
    assert bare.context == 512
    shown = {"capabilities": ["vision", "thinking"], "model_info": {"llama.context_length": 131072}}
    answers = {"/api/version": reply({"version": "0.12"}), "/api/show": reply(shown)}
    facts, up = learn("library", answers)
    assert facts.models["m"] == Ability(context=131072, schema=True, thinking=True, vision=True)
    assert up.at("/api/show")[0].json == {"model": "m"}
    assert up.at(CHAT) == []


@pytest.mark.parametrize(
    ("owner", "answers", "slots"),
    [
        ("llamacpp", {"/props": reply({"build_info": "b1", "total_slots": 6})}, 6),
        ("llamacpp", {"/props": reply({"build_info": "b1"})}, None),
        ("sglang", {"/server_info": reply({"internal_states": [{_PER_RANK: 52}, {_PER_RANK: 50}, {}]})}, 102),
        ("sglang", {"/get_server_info": reply({"internal_states": [{_PER_RANK: 128}]})}, 128),
        ("sglang", {"/server_info": reply({"internal_states": [None, {_PER_RANK: None}]})}, None),
        ("sglang", {"/server_info": reply({"internal_states": 5})}, None),
        ("sglang", {"/server_info": hang}, None),
        ("vllm", {"/version": reply({"version": "0.32.0"})}, None),
    ],
)
def test_how_many_answers_a_server_computes_at_once(
    owner: str, answers: dict[str, Answering], slots: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ASKING", Patience(connect=2.0, first=0.3, between=0.3))
    assert learn(owner, answers, abilities=())[0].slots == slots


def test_other_names_and_embedders_are_no_models() -> None:
    assert learn("freehold", freehold={"alias": True})[0].models == {}
    assert learn("freehold", freehold={"dimensions": 384})[0].models == {}


def test_names_that_are_configured_count_also_where_they_are_not_listed() -> None:
    facts, _ = learn(names=("other",), abilities=("schema", "logprobs", "reasoning"))
    assert facts.models == {"other": Ability(schema=True, logprobs=True, thinking=True)}
    assert facts.listed == {"m"}


def test_what_a_plain_server_can_is_tried_out() -> None:
    choice = {
        "message": {"content": ' {"answer": "freehold"}', "reasoning_content": "hm"},
        "logprobs": {"content": [{"token": "a", "logprob": -1}]},
    }
    facts, up = learn(answers={CHAT: reply({"choices": [choice]})})
    assert facts.models["m"] == Ability(schema=True, logprobs=True, thinking=True)
    assert len(up.at(CHAT)) == 3
    assert all(one.json["max_tokens"] <= 32 for one in up.at(CHAT))


@pytest.mark.parametrize(
    "answer",
    [
        reply({"choices": [{"message": {"content": "Paris"}}]}),
        reply({"error": {"message": "no such parameter"}}, 400),
        reply("<html>"),
        reply({"choices": []}),
    ],
)
def test_what_does_not_show_is_not_there(answer: Answering) -> None:
    assert learn(answers={CHAT: answer})[0].models["m"] == Ability()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply("<html>"), Garbled),
        (reply("", 401), Fault),
        (reply({"data": [{"name": "no id"}]}), Garbled),
        (reply("x" * (5 << 20)), Garbled),
    ],
)
def test_a_list_that_is_none(answer: Answering, kind: type[Exception]) -> None:
    with pytest.raises((Broken, Fault)) as found:
        learn(answers={"/v1/models": answer})
    assert isinstance(found.value, kind)
