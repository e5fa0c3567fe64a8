import pytest
from msgspec import Struct

from freehold.core.errors import Unsupported
from freehold.surfaces.common import OBFUSCATION, padding, refuse


class Body(Struct):
    n: int | None = None
    tools: list[int] | None = None
    audio: dict[str, int] | None = None


INERT = {"n": (1,), "tools": ([],), "audio": ()}


@pytest.mark.parametrize("body", [Body(), Body(n=1), Body(tools=[])])
def test_values_that_change_nothing_pass(body: Body) -> None:
    assert refuse(body, INERT) is None


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (Body(n=2), "n", "unsupported_value"),
        (Body(tools=[1]), "tools", "unsupported_value"),
        (Body(audio={}), "audio", "unsupported_parameter"),
    ],
)
def test_any_other_value_is_refused_by_name(body: Body, param: str, code: str) -> None:
    with pytest.raises(Unsupported) as caught:
        refuse(body, INERT)
    assert (caught.value.param, caught.value.code) == (param, code)


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 40])
def test_padding_hides_the_length_of_a_delta(length: int) -> None:
    assert (length + len(padding("x" * 16, length))) % OBFUSCATION == 0
