"""The jobs of a reading process, done in the test's own."""

import builtins
from typing import Any

import pytest

from freehold.tools.documents import PDF
from freehold.tools.jobs import Job, Reply
from freehold.tools.worker import answer
from tests.papers import pdf, picture, scan


def test_each_kind_of_job_is_answered() -> None:
    small = answer(Job("picture", picture("hello"), "low"))
    assert small.pictures[0].startswith(b"\x89PNG")
    assert answer(Job("document", pdf("hello"), type=PDF)) == Reply("\f1\nhello\n")
    assert len(answer(Job("pages", pdf("one", "two"))).pictures) == 2
    assert answer(Job("scan", scan("Invoice", "Total"))) == Reply("\f1\nInvoice\n\n\f2\nTotal\n")


def test_what_is_wrong_with_the_data_is_said_in_the_reply() -> None:
    reply = answer(Job("picture", b"nothing"))
    assert (reply.code, reply.pictures) == ("unsupported_image_media_type", ())
    assert reply.refusal.startswith("You uploaded an unsupported image.")


@pytest.mark.parametrize(("kind", "package"), [("picture", "PIL"), ("document", "kreuzberg"), ("pages", "kreuzberg")])
def test_a_missing_package_is_named(kind: Any, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert answer(Job(kind, pdf("x"), type=PDF)) == Reply(missing=package)
