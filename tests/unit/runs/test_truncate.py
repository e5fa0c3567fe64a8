"""Which turns may be left out, oldest first."""

from freehold.core.prompt import Call, Prompt, Turn
from freehold.runs.truncate import shorter

RULES = Turn("system", "Rules.")
FIRST, SECOND, THIRD = Turn("user", "one"), Turn("user", "two"), Turn("user", "three")
CALLS = Turn("assistant", "", (Call("c", "add", "{}"),))
RESULT = Turn("tool", "3", call_id="c")
SAID = Turn("assistant", "Yes.")


def remains(*turns: Turn) -> list[tuple[Turn, ...]]:
    return [prompt.turns for prompt in shorter(Prompt(model="m", turns=turns, thinking=5))]


def test_the_oldest_go_first_and_what_the_user_said_last_stays() -> None:
    assert remains(FIRST, SAID, SECOND, SAID, THIRD) == [(SECOND, SAID, THIRD), (THIRD,)]


def test_the_leading_rules_stay() -> None:
    assert remains(RULES, FIRST, SAID, SECOND) == [(RULES, SECOND)]


def test_no_result_is_left_without_its_call() -> None:
    assert remains(RULES, FIRST, CALLS, RESULT, SAID, SECOND, CALLS, RESULT) == [(RULES, SECOND, CALLS, RESULT)]
    assert remains(FIRST, CALLS, RESULT) == []


def test_nothing_else_of_the_prompt_is_changed() -> None:
    prompt = Prompt(model="m", turns=(FIRST, SECOND), thinking=5)
    assert shorter(prompt) == [Prompt(model="m", turns=(SECOND,), thinking=5)]


def test_where_there_is_nothing_to_leave_out_there_is_no_shorter_prompt() -> None:
    assert remains() == remains(FIRST) == remains(RULES) == remains(RULES, FIRST) == []
