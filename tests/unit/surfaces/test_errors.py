"""Faults as they stand on the wire."""

import pytest

from freehold.core.errors import Denied, EngineBusy, EngineFailed, Fault, Invalid, Limited, NotFound, StorageFailed
from freehold.surfaces.errors import LONGEST, envelope


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Invalid("x", "c", "p"), "invalid_request_error"),
        (NotFound("x", "c", "p"), "invalid_request_error"),
        (Denied("x", "insufficient_permissions"), "permission_error"),
        (Limited("x"), "requests"),
        (EngineBusy("x"), "server_error"),
        (EngineFailed("x"), "server_error"),
        (StorageFailed("x"), "server_error"),
    ],
)
def test_a_fault_has_the_type_of_its_kind(fault: Fault, kind: str) -> None:
    body = envelope(fault).error
    assert (body.message, body.type, body.param, body.code) == ("x", kind, fault.param, fault.code)


def test_what_a_caller_sent_is_not_given_back_at_length() -> None:
    body = envelope(Invalid("x" * 10_000_000, "c", "y" * 10_000_000)).error
    assert body.message == "x" * LONGEST + "…"
    assert body.param == "y" * LONGEST + "…"
    assert envelope(Invalid("x" * LONGEST)).error.message == "x" * LONGEST
