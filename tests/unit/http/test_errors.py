import json

import pytest

from freehold.core import errors
from freehold.http.errors import answer
from freehold.surfaces.errors import STATUS


def leaves(kind: type) -> list[type]:
    return [kind] if not kind.__subclasses__() else [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]


def test_every_fault_has_a_status() -> None:
    assert set(STATUS) == set(leaves(errors.Fault)) | {errors.EngineFailed}


FAULTS = [
    (errors.Invalid("m", "c", "p"), 400, "invalid_request_error"),
    (errors.Unsupported("m", "p"), 400, "invalid_request_error"),
    (errors.NotFound("m"), 404, "invalid_request_error"),
    (errors.NotFound("m", "method_not_supported"), 405, "invalid_request_error"),
    (errors.Denied("m", "invalid_api_key"), 401, "invalid_request_error"),
    (errors.Denied("m", "insufficient_permissions"), 403, "permission_error"),
    (errors.TooLarge("m"), 413, "invalid_request_error"),
    (errors.Limited("m"), 429, "requests"),
    (errors.EngineBusy("m"), 503, "server_error"),
    (errors.EngineFailed("m"), 500, "server_error"),
    (errors.StorageFailed("m"), 503, "server_error"),
]


@pytest.mark.parametrize(("fault", "status", "kind"), FAULTS)
def test_a_fault_becomes_the_envelope(fault: errors.Fault, status: int, kind: str) -> None:
    response = answer(fault)
    assert response.status_code == status
    assert json.loads(response.body) == {
        "error": {"message": "m", "type": kind, "param": fault.param, "code": fault.code}
    }


@pytest.mark.parametrize("fault", [errors.EngineBusy("m", retry_after=1.5), errors.Limited("m", retry_after=1.5)])
def test_a_fault_that_passes_says_when_to_come_back(fault: errors.Fault) -> None:
    headers = answer(fault).headers
    assert (headers["retry-after"], headers["retry-after-ms"]) == ("2", "1500")
