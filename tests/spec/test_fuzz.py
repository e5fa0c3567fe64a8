"""Requests made up from our own OpenAPI document, good and bad: none breaks the server, and faults are well formed."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode

from tests.house import KEY, lasting_house

REQUESTS = 400
"""How many are made up in each mode, over all operations: that bounds the time."""
FEWEST = 4
SECONDS = 10.0
FIELDS = {"message", "type", "param", "code"}


@dataclass(frozen=True)
class Target:
    """A server in this process, what it says of itself, and the ids of objects that it has, by parameter."""

    client: httpx2.AsyncClient
    runner: asyncio.Runner
    document: dict[str, Any]
    known: dict[str, str]

    def operations(self) -> list[APIOperation]:
        """Everything that the document says may be asked. The key is no part of it: a wrong one would hide the rest."""
        open_to_all = {name: part for name, part in self.document.items() if name != "security"}
        return [one.ok() for one in schemathesis.openapi.from_dict(open_to_all).get_all_operations()]

    def send(self, case: Case) -> httpx2.Response:
        """Send a request that was made up. Raises TimeoutError when it is not answered within SECONDS."""
        made = requests.Request(**case.as_transport_kwargs("http://test")).prepare()
        headers = {**made.headers, "Authorization": f"Bearer {KEY}"}
        sent = self.client.request(made.method or "", made.url or "", content=made.body, headers=headers)
        return self.runner.run(asyncio.wait_for(sent, SECONDS))

    def settle(self, case: Case) -> None:
        """Let a request be about a model and objects that there are."""
        if case.method != "DELETE":
            case.path_parameters |= {name: self.known[name] for name in case.path_parameters if name in self.known}
        if isinstance(case.body, dict) and "model" in case.body:
            case.body["model"] = self.known["model"]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with lasting_house(tmp_path_factory.mktemp("house")) as (runner, client):
        document = runner.run(client.get("http://test/openapi.json")).json()
        yield Target(client, runner, document, runner.run(_objects(client)))


async def _objects(client: httpx2.AsyncClient) -> dict[str, str]:
    said = [{"role": "user", "content": "Hi"}]

    async def made(path: str, body: dict[str, Any]) -> str:
        return (await client.post(path, json=body)).raise_for_status().json()["id"]

    conversation = await made("/conversations", {"items": said})
    items = await client.get(f"/conversations/{conversation}/items")
    return {
        "model": "gpt-5",
        "response_id": await made("/responses", {"input": "Hi"}),
        "conversation_id": conversation,
        "item_id": items.json()["data"][0]["id"],
        "completion_id": await made("/chat/completions", {"model": "gpt-5", "messages": said, "store": True}),
    }


def check(target: Target, case: Case, answer: httpx2.Response) -> None:
    """Every answer is of a documented kind, or a fault of the caller in OpenAI's envelope."""
    kind = answer.headers["content-type"].partition(";")[0]
    if answer.status_code >= 400:
        assert answer.status_code in (400, 404, 409), answer.text
        assert (kind, answer.json().keys()) == ("application/json", {"error"})
        error = answer.json()["error"]
        assert error.keys() == FIELDS
        assert error["message"] and error["type"] == "invalid_request_error"
        return
    operation = target.document["paths"][case.operation.path][case.method.lower()]
    assert kind in operation["responses"]["200"]["content"]
    if kind == "text/event-stream":
        events = [line.removeprefix("data: ") for line in answer.text.split("\n") if line.startswith("data: ")]
        assert all(isinstance(json.loads(one), dict) for one in events if one != "[DONE]")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name.lower())
def test_no_request_breaks_the_server(target: Target, mode: GenerationMode) -> None:
    negative = mode is GenerationMode.NEGATIVE  # an id alone cannot be wrong: any text may be one
    operations = [one for one in target.operations() if not negative or one.body.items or one.query.items]
    sizes = settings(
        max_examples=max(FEWEST, REQUESTS // len(operations)),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for operation in operations:

        @sizes
        @given(operation.as_strategy(generation_mode=mode), st.booleans())
        def ask(case: Case, settled: bool) -> None:
            if settled:
                target.settle(case)
            check(target, case, target.send(case))

        ask()
