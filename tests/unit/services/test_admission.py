"""Every fault of the caller is found before the first byte, and named as its surface names it."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from freehold.core.catalog import Catalog
from freehold.core.deltas import Delta
from freehold.core.errors import EngineBusy, Fault, Invalid, NotFound, Unsupported
from freehold.core.items import Compaction, FileResult, FileSearchCall, InputImage, InputText, Item, Message, OutputText
from freehold.core.ports import Load, Served
from freehold.core.principal import Principal
from freehold.core.prompt import (
    Ask,
    Caching,
    Choice,
    Effort,
    FileSearching,
    Function,
    JsonFormat,
    Prompt,
    Sampling,
    Template,
    Thoughts,
    Turn,
)
from freehold.services.admission import Admission, Admitted
from freehold.services.prompts import Prompts
from freehold.surfaces.chat import CHAT
from freehold.surfaces.responses import RESPONSES

WHO = Principal("p", "key")
ABLE = Served(
    name="able",
    context=20,
    max_output=10,
    created=1,
    constrained=True,
    logprobs=True,
    lasting=True,
    thinking="prompted",
)
PLAIN = replace(ABLE, name="plain", constrained=False, logprobs=False, lasting=False, thinking="none")
TRAINED = replace(ABLE, name="trained", thinking="trained")
WIDE = replace(ABLE, name="wide", context=1_000)


def user(text: str) -> Message:
    return Message(role="user", content=(InputText(text),))


def assistant(text: str) -> Message:
    return Message(role="assistant", content=(OutputText(text),))


class Counting:
    """An engine that counts words, and how often it was asked; it may raise something else."""

    models = (ABLE, PLAIN, TRAINED, WIDE)
    load = Load(running=0, waiting=0, limit=1)

    def __init__(self, fault: Fault | None = None) -> None:
        self.fault = fault
        self.asked = 0

    async def admit(self, prompt: Prompt) -> Prompt:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        words = sum(len(turn.text.split()) for turn in prompt.turns)
        if words > (WIDE if prompt.model == "wide" else ABLE).context:
            raise Invalid(f"{words} are too many.", "context_length_exceeded", "input")
        return replace(prompt, tokens=(7,) * words)

    async def generate(self, prompt: Prompt) -> AsyncGenerator[Delta, None]:
        raise AssertionError("nothing is generated here")
        yield


class Blind:
    """Recalls only what is asked, and sees nothing; an image is a fault."""

    async def follow(self, who: Principal, ask: Ask) -> Ask:
        return ask

    async def items(self, who: Principal, ask: Ask) -> tuple[Item, ...]:
        return (*ask.before, *ask.items)

    async def see(self, who: Principal, entry: object, items: tuple[Item, ...], places: dict[Any, str]) -> Any:
        for item in items:
            for part in item.content if isinstance(item, Message) else ():
                if isinstance(part, InputImage):
                    raise Invalid("No image.", None, places[part])
        return {}


def admit(ask: Ask, surface: Any = RESPONSES, engine: Counting | None = None, data: Path | None = None) -> Admitted:
    engine = engine or Counting()
    aliases = {"gpt-4.1": "able", "gpt-5.2": "able", "gpt-5-pro": "trained", "mine": "able"}
    blind: Any = Blind()
    catalog = Catalog({"e": engine.models}, aliases, "able")
    admission = Admission(catalog, {"e": engine}, blind, Prompts(data or Path("nowhere")), blind)
    return asyncio.run(admission.admit(WHO, surface, ask))


def ask(model: str | None = "able", *said: Item, **more: Any) -> Ask:
    return Ask(model=model, items=said or (user("Hi there"),), **more)


def refusal(asked: Ask, surface: Any = RESPONSES) -> Fault:
    with pytest.raises(Fault) as caught:
        admit(asked, surface)
    return caught.value


def test_an_ask_becomes_a_prompt_that_its_engine_has_counted() -> None:
    admitted = admit(ask("mine", instructions="Be kind."))
    assert (admitted.entry.name, admitted.prompt.model) == ("mine", "able")
    assert admitted.prompt.turns == (Turn("system", "Be kind."), Turn("user", "Hi there"))
    assert admitted.prompt.tokens == (7,) * 4
    assert (admitted.effort, admitted.compact) == (None, False)


def test_without_a_model_the_default_answers() -> None:
    assert admit(ask(None)).entry.name == "able"


def test_an_unknown_model_is_a_fault_of_its_surface() -> None:
    found = refusal(ask("gone"))
    assert isinstance(found, Invalid) and (found.code, found.param) == ("model_not_found", "model")
    found = refusal(ask("gone"), CHAT)
    assert isinstance(found, NotFound) and (found.code, found.param) == ("model_not_found", None)


ADD = Function(name="add")
SQL = Function(name="sql", free="lark", definition="x")


@pytest.mark.parametrize(
    ("more", "responses", "chat"),
    [
        ({"format": JsonFormat()}, "text.format", "response_format"),
        ({"functions": (ADD,), "choice": Choice("required")}, "tool_choice", "tool_choice"),
        ({"functions": (ADD, SQL)}, "tools", "tools"),
        ({"sampling": Sampling(logprobs=0)}, "top_logprobs", "logprobs"),
        ({"thoughts": Thoughts(effort="low")}, "reasoning.effort", "reasoning_effort"),
        ({"caching": Caching(lasting=True)}, "prompt_cache_retention", "prompt_cache_retention"),
    ],
)
def test_what_a_model_cannot_do_is_refused_by_the_surfaces_own_name(
    more: dict[str, Any], responses: str, chat: str
) -> None:
    for surface, param in ((RESPONSES, responses), (CHAT, chat)):
        found = refusal(ask("plain", **more), surface)
        assert isinstance(found, Unsupported)
        assert found.param == param
        assert admit(ask("able", **more), surface).prompt.tokens


@pytest.mark.parametrize(
    "more",
    [
        {"functions": (ADD, Function(name="shell", free="text"))},
        {"functions": (ADD,), "choice": Choice("auto", ("add",))},
        {"thoughts": Thoughts(effort="none", summary="auto")},
    ],
)
def test_a_plain_model_takes_what_asks_nothing_of_it(more: dict[str, Any]) -> None:
    assert admit(ask("plain", **more)).prompt.thinking == 0


@pytest.mark.parametrize(
    ("model", "wanted", "effort", "budget"),
    [
        ("able", None, None, 0),
        ("able", "none", "none", 0),
        ("able", "max", "max", 4096),
        ("able", "minimal", "minimal", 32),
        ("trained", None, "medium", 512),
        ("trained", "none", "none", 0),
        ("gpt-5.2", "xhigh", "xhigh", 2048),
        ("gpt-5.2", None, None, 0),
        ("gpt-5-pro", "high", "high", 1024),
        ("gpt-4.1", None, None, 0),
        ("gpt-4.1", "none", "none", 0),
    ],
)
def test_an_effort_is_a_budget(model: str, wanted: Effort | None, effort: Effort | None, budget: int) -> None:
    admitted = admit(ask(model, thoughts=Thoughts(effort=wanted)))
    assert (admitted.effort, admitted.prompt.thinking) == (effort, budget)


@pytest.mark.parametrize(("model", "effort"), [("able", "medium"), ("gpt-5.2", "medium"), ("gpt-5-pro", "high")])
def test_asking_for_a_summary_is_asking_for_a_thought(model: str, effort: Effort) -> None:
    assert admit(ask(model, thoughts=Thoughts(summary="auto"))).effort == effort
    with pytest.raises(Unsupported):
        admit(ask("gpt-4.1", thoughts=Thoughts(summary="auto")))


@pytest.mark.parametrize(
    ("model", "wanted", "code", "message"),
    [
        ("gpt-4.1", "low", "unsupported_parameter", "'reasoning.effort' is not supported with this model"),
        ("gpt-5.2", "minimal", "unsupported_value", "'minimal' is not supported with the 'gpt-5.2' model"),
        ("gpt-5-pro", "low", "unsupported_value", "Supported values are: 'high'."),
    ],
)
def test_a_name_takes_the_efforts_that_it_takes_at_home(model: str, wanted: Effort, code: str, message: str) -> None:
    found = refusal(ask(model, thoughts=Thoughts(effort=wanted)))
    assert (found.code, found.param) == (code, "reasoning.effort")
    assert message in found.message


LONG = tuple(one for number in range(6) for one in (user(f"question {number} of six"), assistant("So it is.")))


def test_what_is_too_long_is_refused_by_where_it_stands() -> None:
    for surface, param in ((RESPONSES, "input"), (CHAT, "messages")):
        found = refusal(ask("able", *LONG), surface)
        assert (found.code, found.param) == ("context_length_exceeded", param)


@pytest.mark.parametrize("more", [0, 1, 2, 4, 8, 15])
def test_truncation_leaves_out_as_little_as_possible(more: int) -> None:
    last = user("word " * (1 + more))
    prompt = admit(ask("able", *LONG, last, truncate=True)).prompt
    texts = [turn.text for turn in prompt.turns]
    assert texts[-1] == "word " * (1 + more)
    assert prompt.turns[0].speaker == "user"
    kept = len(prompt.turns) // 2
    assert len(prompt.tokens) == 7 * kept + 1 + more
    assert 20 - 7 < len(prompt.tokens) <= 20


def test_truncation_asks_the_engine_a_few_times_only() -> None:
    engine = Counting()
    many = tuple(user(f"question {number}") for number in range(1000))
    assert len(admit(ask("able", *many, truncate=True), engine=engine).prompt.turns) == 10
    assert engine.asked < 14


def test_truncation_does_not_help_what_is_too_long_by_itself() -> None:
    for said in ((user("word " * 21),), (*LONG, user("word " * 21))):
        assert refusal(ask("able", *said, truncate=True)).code == "context_length_exceeded"
    assert refusal(ask("able", *LONG, instructions="word " * 21, truncate=True)).code == "context_length_exceeded"


def test_other_faults_of_the_engine_are_not_truncated_away() -> None:
    for fault in (EngineBusy("Full."), Invalid("No such turns.", None, "input")):
        engine = Counting(fault)
        with pytest.raises(type(fault)) as caught:
            admit(ask("able", *LONG, truncate=True), CHAT, engine)
        assert caught.value is fault
        assert engine.asked == 1
    assert fault.param == "messages"


def test_over_its_threshold_a_conversation_is_compacted_first() -> None:
    said = (*LONG[:4], user("And?"))
    assert admit(ask("able", *said, compact_at=16)).compact is False
    assert admit(ask("able", *said, compact_at=14)).compact is True
    with pytest.raises(Invalid, match="too many"):
        admit(ask("able", *LONG, compact_at=None))


def test_a_fault_of_a_format_or_an_image_is_named_by_its_place() -> None:
    image = InputImage(image_url="u")
    shown = Message(role="user", content=(image,))
    found = refusal(ask("able", shown, places={image: "messages[0].content[0].image_url"}), CHAT)
    assert found.param == "messages[0].content[0].image_url"
    for surface, param in ((RESPONSES, "text.format"), (CHAT, "response_format")):
        with pytest.raises(Invalid) as caught:
            admit(ask("able"), surface, Counting(Invalid("No such schema.", "invalid_json_schema", "format")))
        assert caught.value.param == param


def test_a_stored_prompt_is_filled_in_first(tmp_path: Path) -> None:
    folder = tmp_path / "prompts" / "p" / "greet"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text('{"instructions": "Greet {{name}}.", "model": "mine"}')
    asked = ask(None, template=Template(id="greet", variables={"name": "Ann"}))
    admitted = admit(asked, data=tmp_path)
    assert (admitted.entry.name, admitted.prompt.turns[0]) == ("mine", Turn("system", "Greet Ann."))
    assert admitted.ask.instructions == "Greet Ann."


def test_the_whole_conversation_is_admitted() -> None:
    admitted = admit(ask("able", user("now"), before=(user("then"),)))
    assert admitted.items == (user("then"), user("now"))
    assert not any(isinstance(item, Compaction) for item in admitted.items)


FILES = FileSearching(stores=("vs_1",), path="tools[0].vector_store_ids", most=8, calls=2)
SEARCHED = FileSearchCall(
    id="fs_1",
    queries=("why",),
    results=tuple(FileResult(file_id=f"file-{n}", filename=f"{n}.txt", score=0.5, text="word") for n in range(8)),
)


class Box:
    """A toolbox that searches for whoever asks."""

    async def check(self, who: Principal, ask: Ask) -> None:
        assert ask.search is not None

    def tools(self, who: Principal, ask: Ask) -> dict[str, object]:
        return {"file_search": self}


def searching(*said: Item, model: str = "able", search: FileSearching = FILES, **more: Any) -> Admitted:
    """Admit an ask that may search files."""
    box: Any = Box()
    blind: Any = Blind()
    engine = Counting()
    admission = Admission(
        Catalog({"e": engine.models}, {}, "able"), {"e": engine}, blind, Prompts(Path("no")), blind, box
    )
    functions = more.pop("functions", (Function(name="file_search"),))
    return asyncio.run(admission.admit(WHO, RESPONSES, ask(model, *said, search=search, functions=functions, **more)))


def test_a_model_that_can_only_search_begins_with_it() -> None:
    first = Choice("required", ("file_search",))
    assert searching().prompt.choice == first
    assert searching(choice=Choice("none")).prompt.choice == Choice("none")
    assert searching(functions=(Function(name="file_search"), Function(name="add"))).prompt.choice == Choice()
    failed = FileSearchCall(id="fs_2", status="failed", queries=("why",))
    assert searching(user("Why?"), failed).prompt.choice == Choice()
    assert searching(user("Why?"), failed, user("And?")).prompt.choice == first


def test_the_weakest_of_what_was_found_is_left_out_where_there_is_no_room() -> None:
    _, _, answered = searching(user("Why?"), SEARCHED, format=JsonFormat()).prompt.turns
    assert "0.txt" in answered.text
    assert "1.txt" not in answered.text


@pytest.mark.parametrize(("usual", "shown"), [(True, 4), (False, 8)])
def test_a_small_model_reads_few_excerpts_unless_the_request_wants_more(usual: bool, shown: int) -> None:
    search = replace(FILES, usual=usual)
    _, _, answered = searching(user("Why?"), SEARCHED, model="wide", search=search).prompt.turns
    assert answered.text.count("【") == shown
    assert "like this" not in answered.text  # it is not asked to name what it uses: it would name others


@pytest.mark.parametrize(
    ("said", "more", "query"),
    [
        ([user(" Why? ")], {}, "Why?"),
        ([Message(role="developer", content=(InputText("Be kind."),)), user("Why?")], {}, "Why?"),
        ([user("Why?"), assistant("So."), user("And?")], {}, ""),
        ([user("Why?")], {"choice": Choice("none")}, ""),
        ([user("Why?")], {"functions": (Function(name="file_search"), Function(name="add"))}, ""),
        ([user("x" * 5_000)], {"model": "wide"}, ""),
        ([user("Why?")], {"model": "trained"}, ""),
    ],
)
def test_a_small_model_is_not_asked_what_to_search_for_at_first(
    said: list[Message], more: dict[str, Any], query: str
) -> None:
    admitted = searching(*said, **more)
    box: Any = Box()
    hosted = Admission(Catalog({"e": (ABLE,)}, {}, "able"), {}, box, box, box, box).hosted(
        WHO, admitted, admitted.items
    )
    assert hosted is not None
    assert (hosted.first, hosted.trust) == (query, more.get("model") == "trained")


def test_prompts_are_those_of_the_project_that_asks() -> None:
    prompt = admit(ask("able", caching=Caching(owner="another", family="f"), tier="flex", predicted="x")).prompt
    assert (prompt.caching, prompt.tier, prompt.predicted) == (Caching(owner="p", family="f"), "flex", "x")
