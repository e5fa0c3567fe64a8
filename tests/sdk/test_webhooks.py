"""Webhook endpoints with the official client: it manages them, and believes what is sent to them."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.webhooks import WebhookTestParams

from freehold.surfaces.webhooks import EVENT_TYPES
from tests.receiver import Receiver, receiving
from tests.servers import Server, running_server, strict_client

HOOK = "https://nowhere.invalid/hook"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Server]:
    """A server that may send to the receiver."""
    folder: Path = tmp_path_factory.mktemp("allowing")
    config = folder / "freehold.toml"
    config.write_text(f'[outbound]\nallow = ["{receiver.address}"]\n')
    with running_server(folder, "--engine", "script", "--config", str(config)) as running:
        yield running


def test_an_endpoint_is_made_changed_listed_and_deleted(client: OpenAI) -> None:
    made = client.webhooks.create(event_types=["batch.completed"], name="first", url=HOOK)
    assert made.signing_secret.startswith("whsec_")
    assert made.signing_secret_hint == f"whsec_...{made.signing_secret[-4:]}"
    found = client.webhooks.retrieve(made.id)
    assert found.to_dict() == {key: value for key, value in made.to_dict().items() if key != "signing_secret"}
    changed = client.webhooks.update(made.id, name="renamed", event_types=["batch.failed", "response.completed"])
    assert (changed.name, changed.url, changed.event_types) == ("renamed", HOOK, ["batch.failed", "response.completed"])
    newer = client.webhooks.create(event_types=["batch.completed"], name="second", url=HOOK)
    assert [one.id for one in client.webhooks.list(limit=1)][:2] == [newer.id, made.id]
    assert [one.id for one in client.webhooks.list(after=newer.id)][:1] == [made.id]
    rotated = client.webhooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    assert rotated.signing_secret not in (made.signing_secret, newer.signing_secret)
    deleted = client.webhooks.delete(made.id)
    assert (deleted.id, deleted.deleted) == (made.id, True)
    with pytest.raises(openai.NotFoundError, match="No webhook endpoint found"):
        client.webhooks.retrieve(made.id)
    client.webhooks.delete(newer.id)


def test_the_event_types_are_names_that_the_official_client_knows(client: OpenAI) -> None:
    listed = client.webhooks.event_types.list().data
    assert tuple(listed) == EVENT_TYPES
    (named,) = get_args(get_type_hints(WebhookTestParams, include_extras=True)["event_type"])
    assert set(listed) <= set(get_args(named))


def test_a_test_event_is_believed(allowing: Server, receiver: Receiver) -> None:
    with strict_client(allowing) as client:
        made = client.webhooks.create(event_types=["batch.completed"], name="n", url=receiver.url("/hook"))
        tried = client.webhooks.test(made.id, event_type="response.completed")
        assert (tried.status_code, tried.success, tried.event_type) == (200, True, "response.completed")
        got = receiver.at("/hook")[-1]
        event = client.webhooks.unwrap(got.body, got.headers, secret=made.signing_secret)
        assert event.type == "response.completed"
        assert event.data.id.startswith("resp_")
        with pytest.raises(openai.InvalidWebhookSignatureError):
            client.webhooks.unwrap(got.body + b" ", got.headers, secret=made.signing_secret)
    assert made.signing_secret not in allowing.log.read_text()


def test_the_node_client_believes_it_too(allowing: Server, receiver: Receiver) -> None:
    with strict_client(allowing) as client:
        made = client.webhooks.create(event_types=["batch.completed"], name="n", url=receiver.url("/node"))
        client.webhooks.test(made.id, event_type="batch.expired")
    got = receiver.at("/node")[-1]
    given = {"payload": got.body.decode(), "headers": got.headers, "secret": made.signing_secret}
    command = ["node", Path(__file__).parent / "node/unwrap.mjs"]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == json.loads(got.body)


def test_a_server_that_may_not_send_somewhere_says_so(client: OpenAI, receiver: Receiver) -> None:
    with pytest.raises(openai.BadRequestError, match=r"expected an https URL|port \d+ is not allowed") as caught:
        client.webhooks.create(event_types=["batch.completed"], name="n", url=receiver.url())
    assert caught.value.param == "url"
    made = client.webhooks.create(event_types=["batch.completed"], name="n", url=HOOK)
    with pytest.raises(openai.BadRequestError, match="could not be reached"):
        client.webhooks.test(made.id, event_type="batch.completed")
    client.webhooks.delete(made.id)


def test_another_projects_endpoint_does_not_exist(client: OpenAI, stranger: OpenAI) -> None:
    made = client.webhooks.create(event_types=["batch.completed"], name="n", url=HOOK)
    assert [one.id for one in stranger.webhooks.list()] == []
    for attempt in (stranger.webhooks.retrieve, stranger.webhooks.delete, stranger.webhooks.rotate_secret):
        with pytest.raises(openai.NotFoundError):
            attempt(made.id)
    client.webhooks.delete(made.id)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "event_types"),
        ({"event_types": [], "name": "n", "url": HOOK}, "event_types"),
        ({"event_types": ["video.completed"], "name": "n", "url": HOOK}, "event_types[0]"),
        ({"event_types": ["batch.failed", "nonsense"], "name": "n", "url": HOOK}, "event_types[1]"),
        ({"event_types": ["batch.failed"], "name": "", "url": HOOK}, "name"),
        ({"event_types": ["batch.failed"], "name": 1, "url": HOOK}, "name"),
        ({"event_types": ["batch.failed"], "name": "n"}, "url"),
        ({"event_types": ["batch.failed"], "name": "n", "url": "https://"}, "url"),
        ({"event_types": ["batch.failed"], "name": "n", "url": HOOK, "enabled": True}, "enabled"),
    ],
)
def test_a_wrong_body_is_refused_by_name(raw: httpx2.Client, body: dict[str, object], param: str) -> None:
    answer = raw.post("/webhook_endpoints", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
