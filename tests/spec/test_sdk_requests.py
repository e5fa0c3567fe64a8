"""Requests as the official Python SDK sends them, all parameters set: each is answered, or refused for a reason told.

Recorded from the tests of `openai` 3.54.0, for the resources of `SERVED`. Their ids are made up.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.house import lasting_house

Send = Callable[..., httpx2.Response]
SERVED = {"responses", "chat", "completions", "conversations", "models"}
REQUESTS: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "sdk_requests.jsonl").read_text().splitlines()
]


def name_of(request: dict[str, Any]) -> str:
    return f"{request['method']} {request['path']}?{request['query']}"


def names_of(request: dict[str, Any]) -> set[str]:
    """The parameters that a request gives a value, at the top."""
    query = httpx2.QueryParams(request["query"])
    return {re.split(r"[.\[]", name)[0] for name in (*query, *json.loads(request["body"] or "{}"))}


@pytest.fixture(scope="module")
def send(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Send]:
    """Sends a recorded request, with another body where one is given, and with more in its query."""
    with lasting_house(tmp_path_factory.mktemp("house")) as (runner, client):

        def sent(request: dict[str, Any], body: str = "", query: str = "") -> httpx2.Response:
            headers = {"content-type": request["type"], "openai-beta": request["beta"], "accept": request["accept"]}
            given = {name: value for name, value in headers.items() if value is not None}
            url = f"http://test{request['path']}?{request['query']}{query}"
            content = (body or request["body"]).encode()
            asked = client.request(request["method"], url, headers=given, content=content)
            return runner.run(asyncio.wait_for(asked, 20))

        yield sent


def test_every_resource_is_there() -> None:
    assert {request["path"].split("/")[2] for request in REQUESTS} == SERVED
    assert sum("beta=true" in request["query"] for request in REQUESTS) > 10


@pytest.mark.parametrize("recorded", REQUESTS, ids=name_of)
def test_it_is_answered_or_refused_by_name(send: Send, recorded: dict[str, Any]) -> None:
    answer = send(recorded)
    if answer.status_code == 200:
        return
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["code"] != "unknown_url"
    if answer.status_code == 404:
        assert any(step in error["message"] for step in recorded["path"].split("/")[3:])
        return
    assert answer.status_code == 400
    assert error["param"]
    given = re.split(r"[.\[]", error["param"])[0]
    assert given in names_of(recorded) - {"beta"} or error["code"] == "missing_required_parameter"


@pytest.mark.parametrize("recorded", REQUESTS, ids=name_of)
def test_what_it_does_not_know_is_refused(send: Send, recorded: dict[str, Any]) -> None:
    plain = send(recorded)
    others = [send(recorded, query="&surely_not=1")]
    if recorded["body"]:
        others.append(send(recorded, json.dumps(json.loads(recorded["body"]) | {"surely_not": 1})))
    for answer in others:
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["param"], error["code"]) == ("surely_not", "unknown_parameter") or error == plain.json()["error"]
