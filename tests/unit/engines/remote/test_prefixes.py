"""What prompts that begin alike have in common."""

from msgspec.structs import replace

from freehold.core.prompt import Caching, Prompt, Turn
from freehold.engines.remote.prefixes import prefixes

ONE = Prompt(model="m", turns=(Turn("system", "s" * 5_000), Turn("user", "a")), caching=Caching(owner="p"))


def common(one: Prompt, other: Prompt) -> int:
    return sum(a == b for a, b in zip(prefixes(one), prefixes(other), strict=False))


def test_grow_with_the_prompt() -> None:
    assert len(prefixes(ONE)) == 4
    longer = replace(ONE, turns=(*ONE.turns, Turn("assistant", "b")))
    assert prefixes(longer)[:4] == prefixes(ONE)
    assert common(ONE, replace(ONE, turns=(ONE.turns[0], Turn("user", "z")))) == 3


def test_projects_and_models_have_nothing_in_common() -> None:
    assert common(ONE, replace(ONE, caching=Caching(owner="q"))) == 0
    assert common(ONE, replace(ONE, model="n")) == 0


def test_are_bounded() -> None:
    assert len(prefixes(Prompt(model="m", turns=(), raw="x" * 10_000_000))) == 256
