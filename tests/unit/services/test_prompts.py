"""Stored prompts: found in their own project, in the right version, with the right variables."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from freehold.core.errors import Invalid, NotFound, StorageFailed
from freehold.core.items import InputFile, InputImage, InputText, Message, OutputText
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, Template
from freehold.services.prompts import Prompts

WHO = Principal("p", "key")
HI = Message(role="user", content=(InputText("Hi"),))
IMAGE = InputImage(image_url="https://x/y.png")


def store(data: Path, content: Any, prompt_id: str = "greet", version: str = "1", project: str = "p") -> None:
    """Write one version of a stored prompt."""
    folder = data / "prompts" / project / prompt_id
    folder.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / f"{version}.json").write_text(text)


def filled(data: Path, template: Template, ask: Ask | None = None) -> Ask:
    return asyncio.run(Prompts(data).fill(WHO, ask or Ask(model=None, items=(HI,)), template))


def test_a_prompt_comes_before_what_is_asked(tmp_path: Path) -> None:
    messages = [
        {"role": "developer", "content": "Be {{how}}."},
        {"role": "assistant", "content": "I am {{ how }}."},
        {"role": "user", "content": "{{how}}?"},
    ]
    store(tmp_path, {"instructions": "Greet {{name}}.", "messages": messages, "model": "gpt-5"})
    ask = filled(tmp_path, Template(id="greet", variables={"how": "kind", "name": InputText("Ann {{how}}")}))
    assert (ask.model, ask.instructions) == ("gpt-5", "Greet Ann {{how}}.")
    assert ask.items == (
        Message(role="developer", content=(InputText("Be kind."),)),
        Message(role="assistant", content=(OutputText("I am kind."),)),
        Message(role="user", content=(InputText("kind?"),)),
        HI,
    )


def test_what_is_asked_wins_over_what_is_stored(tmp_path: Path) -> None:
    store(tmp_path, {"instructions": "Stored.", "model": "gpt-5"})
    ask = filled(tmp_path, Template(id="greet"), Ask(model="gpt-4.1", items=(), instructions="Asked."))
    assert (ask.model, ask.instructions, ask.items) == ("gpt-4.1", "Asked.", ())


def test_images_and_files_stand_where_their_variable_does(tmp_path: Path) -> None:
    store(tmp_path, {"messages": [{"role": "user", "content": "Look: {{image}} and {{text}}{{file}}!"}]})
    file = InputFile(file_data="x")
    variables: dict[str, Any] = {"image": IMAGE, "text": "read ", "file": file}
    (message, _) = filled(tmp_path, Template(id="greet", variables=variables)).items
    assert message == Message(
        role="user", content=(InputText("Look: "), IMAGE, InputText(" and read "), file, InputText("!"))
    )


def test_a_message_without_a_word_is_an_empty_one(tmp_path: Path) -> None:
    store(tmp_path, {"messages": [{"role": "user", "content": "{{x}}"}]})
    (message, _) = filled(tmp_path, Template(id="greet", variables={"x": ""})).items
    assert message == Message(role="user", content=(InputText(""),))


@pytest.mark.parametrize(
    ("version", "text"), [(None, "ten"), ("9", "nine"), ("10", "ten"), ("draft", "draft"), ("1.5", "one and a half")]
)
def test_versions_are_chosen_and_the_newest_is_the_greatest_number(
    tmp_path: Path, version: str | None, text: str
) -> None:
    for name, said in (("9", "nine"), ("10", "ten"), ("draft", "draft"), ("1.5", "one and a half")):
        store(tmp_path, {"instructions": said}, version=name)
    assert filled(tmp_path, Template(id="greet", version=version)).instructions == text


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "Missing prompt variable: 'name'."),
        ({"name": "x", "other": "y"}, "Unknown prompt variable: 'other'."),
        ({"name": IMAGE}, "must be text"),
    ],
)
def test_variables_that_do_not_fit_are_refused(tmp_path: Path, variables: dict[str, Any], message: str) -> None:
    store(tmp_path, {"instructions": "Greet {{name}}."})
    with pytest.raises(Invalid, match=message) as caught:
        filled(tmp_path, Template(id="greet", variables=variables))
    assert (caught.value.code, caught.value.param) == ("invalid_prompt_variables", "prompt.variables")


def test_an_image_cannot_stand_in_what_the_assistant_said(tmp_path: Path) -> None:
    store(tmp_path, {"messages": [{"role": "assistant", "content": "{{x}}"}]})
    with pytest.raises(Invalid, match="must be text"):
        filled(tmp_path, Template(id="greet", variables={"x": IMAGE}))


@pytest.mark.parametrize(
    ("template", "param"),
    [
        (Template(id="gone"), "prompt.id"),
        (Template(id="theirs"), "prompt.id"),
        (Template(id="../p/greet"), "prompt.id"),
        (Template(id=".."), "prompt.id"),
        (Template(id="/etc"), "prompt.id"),
        (Template(id="greet/"), "prompt.id"),
        (Template(id=""), "prompt.id"),
        (Template(id="x" * 5000), "prompt.id"),
        (Template(id="a\0b"), "prompt.id"),
        (Template(id="greet\n"), "prompt.id"),
        (Template(id="greet", version="2"), "prompt.version"),
        (Template(id="greet", version="../theirs/1"), "prompt.version"),
        (Template(id="greet", version=""), "prompt.version"),
    ],
)
def test_what_is_not_there_is_not_found(tmp_path: Path, template: Template, param: str) -> None:
    store(tmp_path, {"instructions": "Ours."})
    store(tmp_path, {"instructions": "Theirs."}, "theirs", project="q")
    with pytest.raises(NotFound) as caught:
        filled(tmp_path, template)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "content", ["", "{", '{"instruction": "x"}', '{"messages": [{"role": "king", "content": "x"}]}', "[]"]
)
def test_a_damaged_file_is_the_servers_fault(tmp_path: Path, content: str) -> None:
    store(tmp_path, content)
    with pytest.raises(StorageFailed, match="The stored prompt 'greet' cannot be read: ") as caught:
        filled(tmp_path, Template(id="greet"))
    assert str(tmp_path) not in caught.value.message


def test_a_file_that_cannot_be_opened_is_the_servers_fault(tmp_path: Path) -> None:
    (tmp_path / "prompts" / "p" / "greet" / "1.json").mkdir(parents=True)
    with pytest.raises(StorageFailed) as caught:
        filled(tmp_path, Template(id="greet"))
    assert str(tmp_path) not in caught.value.message
