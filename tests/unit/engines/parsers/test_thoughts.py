import pytest

from freehold.engines.parsers.thoughts import HARMONY, TAGS, Notation, trained


@pytest.mark.parametrize(
    ("template", "notation"),
    [
        ("{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}", None),
        ("", None),
        ("{{ content.split('</think>')[-1] }}<think>\n", TAGS),
        ("<|start|>assistant<|channel|>analysis<|message|>", HARMONY),
        ("<|channel|>analysis … <think>", HARMONY),
    ],
)
def test_a_template_tells_what_its_model_was_trained_on(template: str, notation: Notation | None) -> None:
    assert trained(template) == notation


@pytest.mark.parametrize("notation", [TAGS, HARMONY])
def test_a_thought_that_the_engine_closes_ends_as_the_model_would_have_ended_it(notation: Notation) -> None:
    assert notation.ending in notation.closing
    assert notation.ending not in notation.opening
