from msgspec.structs import replace

from freehold.core.items import InputText, Message, OutputText
from freehold.core.prompt import Ask
from freehold.services.recent import Recent
from freehold.surfaces.responses.objects import Response


def asked(text: str, previous: str | None = None) -> Ask:
    return Ask(model=None, items=(Message(role="user", content=(InputText(text),)),), previous=previous)


def answered(name: str, status: str = "completed") -> Response:
    said = Message(id=f"msg_{name}", role="assistant", content=(OutputText(name),))
    return Response(id=name, created_at=0, status=status, model="m", output=(said,), reasoning={}, text={})  # type: ignore[arg-type]


def words(ask: Ask) -> list[str]:
    return [part.text for item in ask.before if isinstance(item, Message) for part in item.content]  # type: ignore[union-attr]


def test_what_was_kept_is_put_before_what_is_asked() -> None:
    recent = Recent(10_000)
    recent.keep(asked("one", previous="resp_stored"), answered("a"))
    second = recent.resume(asked("two", previous="a"))
    assert (second.previous, words(second)) == ("resp_stored", ["one", "a"])
    recent.keep(second, answered("b"))
    third = recent.resume(asked("three", previous="b"))
    assert (third.previous, words(third)) == ("resp_stored", ["one", "a", "two", "b"])


def test_what_is_not_known_is_left_as_it_is() -> None:
    recent = Recent(10_000)
    recent.keep(asked("one"), answered("a"))
    both = replace(asked("two", previous="a"), conversation="conv_1")
    for ask in (asked("two"), asked("two", previous="elsewhere"), both):
        assert recent.resume(ask) == ask


def test_failed_and_cancelled_responses_are_not_kept() -> None:
    recent = Recent(10_000)
    for status in ("failed", "cancelled"):
        recent.keep(asked("one"), answered(status, status))
        assert recent.resume(asked("two", previous=status)).before == ()


def known(recent: Recent, *names: str) -> list[bool]:
    return [bool(recent.resume(asked("?", previous=name)).before) for name in names]


def test_the_oldest_are_forgotten_when_there_are_too_many() -> None:
    recent = Recent(10_000, most=2)
    for name in ("a", "b", "c"):
        recent.keep(asked("one"), answered(name))
    assert known(recent, "a", "b", "c") == [False, True, True]


def test_the_oldest_are_forgotten_when_they_are_too_large_together() -> None:
    recent = Recent(1000)
    for name in ("a", "b", "c"):
        recent.keep(asked("x" * 150), answered(name))
    assert known(recent, "a", "b", "c") == [False, True, True]
    recent.keep(asked("x" * 1000), answered("d"))
    assert known(recent, "a", "b", "c", "d") == [False] * 4
