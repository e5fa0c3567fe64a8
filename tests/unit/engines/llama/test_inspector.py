"""What can be said of a grammar by reading it and following it for a few steps."""

import json
from typing import Any

import pytest
from llguidance import LLTokenizer

from freehold.engines.llama.inspector import TOO_COMPLEX, flaw

HEAD = "%llguidance {}\n"
BYTES = LLTokenizer("byte")


def closed(**properties: Any) -> str:
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return "start: %json " + json.dumps(schema)


def doubling(rule: str) -> str:
    """A grammar of 30 rules whose only text has 2**30 characters, or none at all."""
    rules = [f"a{i}: {rule.format(f'a{i + 1}')}" for i in range(30)]
    return "\n".join(["start: a0", *rules, 'a30: "x"'])


@pytest.mark.parametrize(
    "grammar",
    [
        'start: "a"',
        'start: ""',
        'start: start "a" | "a"',
        "start: /(a+)+$/",
        "start: /.*a.{200}/",
        closed(a={"type": "string", "pattern": "^(a+)+$"}, b={"type": "array", "items": {"type": "integer"}}),
        closed(**{f"p{i}": {"type": "string"} for i in range(500)}),
        doubling("{0} | {0}"),
    ],
)
def test_what_can_be_followed_has_no_flaw(grammar: str) -> None:
    assert flaw(HEAD + grammar, BYTES) == ""


@pytest.mark.parametrize(
    ("grammar", "why"),
    [
        ("start: nothing", 'unknown name: "nothing"'),
        ('start: "a', "lexer error"),
        ("start: start", "no text follows it"),
        ("start: a\na: b\nb: a", "no text follows it"),
        ("start: X\nX: /a/ & /b/", "no text follows it"),
        ("start: /((a{0,1000}){0,1000}){0,1000}/", "too many expressions"),
        (doubling("{0} {0}"), "Too many items"),
        (doubling("{0}? {0}?"), "items; max is 2000"),
        ("start: /a{100000}/", TOO_COMPLEX),
        (closed(a={"type": "array", "items": {"type": "string"}, "maxItems": 100_000}), TOO_COMPLEX),
    ],
)
def test_what_cannot_be_followed_is_told_in_a_line(grammar: str, why: str) -> None:
    found = flaw(HEAD + grammar, BYTES)
    assert why in found
    assert "\n" not in found and "<state>" not in found
