"""Regular expressions as EBNF: whatever that allows is matched."""

import json
import re

import pytest

from freehold.engines.openvino.pattern import expression
from freehold.engines.openvino.rules import Rules, Unheld
from tests.ebnf import walks

HELD = [
    r"^[a-z ]{3,30}$",
    r"^\+?[1-9]\d{1,14}$",
    r"^(foo|ba[rz]+)?x$",
    r"^[^a-c\]]+$",
    r"^a",
    r'^[\s"]$',
    r"^\S.\w$",
    r"^a$|^b$",
    r"^.*$",
    r"^[\-\w.]+@[é-ü]$",
    r"^(?:a|b){2,3}?c{2}$",
    r"^[]-]$".replace("[]", r"[\]"),
    r"^$",
    r"^[a-c]{40,99}$",
    r"^(ab?){35}$",
]
UNHELD = [
    r"^(?=a)b$",
    r"^(?i)a$",
    r"^\bword$",
    r"^[[:alpha:]]$",
    r"^[a-z&&[^b]]$",
    r"^\p{L}$",
    r"^\Da$",
    r"^(a)\1$",
    r"^(a*)*$",
    r"^(\w+\s?)+$",
    r"^.{0,40}.{0,40}$",
    r"^a++$",
    r"^a{3,1}$",
    r"^a{,3}$",
    r"^a{99999}$",
    r"^.{0,200}.{0,200}$",
    r"^.{3000}$",
    r"^\n$",
    r"^\\$",
    r"^(a$",
    r"^a)$",
    r"^[a$",
    r"^[]$",
    r"^[z-a]$",
    r"^a\\"[:-1],
    r"a^b",
    r"a$b",
    r"*",
]


@pytest.mark.parametrize("pattern", HELD)
def test_what_is_written_is_matched(pattern: str) -> None:
    rules = Rules()
    said = list(walks(rules.text(f'"\\"" {expression(rules, pattern, quoted=True)} "\\""'), 30))
    assert said
    for text in said:
        assert re.search(pattern, json.loads(text)), text


@pytest.mark.parametrize("pattern", [r"a/b\/c[\n ]+\d", r"[a-z]{1,3}|\.", r"[^;]+;\t"])
def test_an_input_is_matched_as_a_whole(pattern: str) -> None:
    rules = Rules()
    said = list(walks(rules.text(expression(rules, pattern, quoted=False)), 30))
    assert said
    for text in said:
        assert re.fullmatch(pattern, text), text


@pytest.mark.parametrize("pattern", UNHELD)
def test_what_programs_read_differently_is_not_held(pattern: str) -> None:
    with pytest.raises(Unheld):
        expression(Rules(), pattern, quoted=True)


def test_without_anchors_a_match_may_stand_anywhere() -> None:
    before, after = expression(Rules(), "b$", quoted=True), expression(Rules(), "^b", quoted=True)
    assert before.count("*") == after.count("*") == 1
    assert before.index("*") < before.index("\\x62]") and after.index("*") > after.index("\\x62]")
