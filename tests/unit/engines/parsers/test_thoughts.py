import pytest

from freehold.engines.parsers.thoughts import DOUBT, HARMONY, TAGS, Beginning, Notation, least, trained


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


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ("Nine.", "Nine."),
        ("</think>\n\nNine.", "Nine."),
        ("\n</think> </think>\nNine </think>", "Nine </think>"),
        ("\n Nine.", "\n Nine."),
        ("</thinking", "</thinking"),
        ("</thi", "</thi"),
        ("</think>", ""),
        ("  ", "  "),
        ("", ""),
    ],
)
def test_an_answer_does_not_begin_with_the_end_of_its_thought_wherever_it_is_split(written: str, answer: str) -> None:
    for at in range(len(written) + 1):
        beginning, told = Beginning("</think>"), ""
        for part in (written[:at], written[at:]):
            told = told + part if told else beginning.feed(part) or ""
        assert (told or beginning.end()) == answer
        assert beginning.dropped == written.strip().startswith("</think>")


def test_a_larger_budget_asks_for_more_of_a_thought_and_a_doubt_does_not_end_it() -> None:
    assert [least(budget) for budget in (0, 32, 128, 4_096)] == [0, 4, 16, 512]
    assert not any(notation.ending in DOUBT for notation in (TAGS, HARMONY))


def test_an_answer_is_told_as_soon_as_it_cannot_be_a_mark() -> None:
    assert Beginning("</think>").feed("<b") == "<b"
