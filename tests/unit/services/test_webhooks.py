"""Webhooks: what is announced is delivered, signed and with a stable id; a slow or broken endpoint harms no other."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from freehold.core.errors import Invalid, NotFound
from freehold.core.ids import random_id
from freehold.core.principal import Principal
from freehold.services.jobs import Bell
from freehold.services.sealing import Seals
from freehold.services.webhooks import GRACE_SECONDS, KIND, Deliveries, Webhooks
from freehold.storage.database import Database, open_database
from freehold.storage.repos.jobs import JobRows
from freehold.storage.repos.webhooks import WebhookRows
from freehold.surfaces.webhooks import EVENT_TYPES, CreateBody, EventType, UpdateBody
from freehold.tools.guard import Guard
from freehold.worker.loop import Pace, Worker
from tests.databases import database_url, stored_bytes
from tests.receiver import Got, Receiver, receiving

WHO = Principal("p", "key")
STRANGER = Principal("strangers", "key")
PACE = Pace(lease=2.0, beat=0.5, poll=0.02, retry=0.02, longest_retry=0.05)


class Post:
    """The webhooks of a database and its worker; `shift` moves the clock."""

    def __init__(self, database: Database, *allow: str) -> None:
        rows, guard, seals = WebhookRows(database), Guard(allow), Seals(b"pepper")
        self.shift = 0.0
        self.database = database
        self.jobs = JobRows(database)
        self.hooks = Webhooks(rows, guard, seals, random_id, self.clock)
        self.deliveries = Deliveries(rows, guard, seals, self.clock)
        self.worker = Worker(self.jobs, {KIND: self.deliveries}, random_id("w"), self.clock, Bell(), pace=PACE)

    def clock(self) -> float:
        return time.time() + self.shift

    async def endpoint(self, url: str, *events: EventType, who: Principal = WHO) -> tuple[str, str]:
        """Make an endpoint; return its id and its secret."""
        made = await self.hooks.create(who, CreateBody(event_types=events or EVENT_TYPES, name="n", url=url))
        return made.id, made.signing_secret

    async def announce(self, event_type: EventType, object_id: str = "resp_1", project: str = "p") -> None:
        now = self.clock()
        await self.database.write(
            lambda connection: self.hooks.announce(connection, project, event_type, object_id, now)
        )

    async def waiting(self) -> bool:
        """Whether a delivery is due, now or ever."""
        return await self.jobs.due([KIND], self.clock() + 1e6) != set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.worker.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def emptied(self) -> None:
        async with asyncio.timeout(10):
            while await self.waiting():  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def post_office(folder: Path, *receivers: Receiver) -> AsyncIterator[Post]:
    async with open_database(database_url(folder), folder) as database:
        yield Post(database, *(one.address for one in receivers))


def unwrapped(got: Got, secret: str) -> dict[str, Any]:
    with OpenAI(api_key="none") as client:
        return client.webhooks.unwrap(got.body, got.headers, secret=secret).to_dict()


def test_an_event_is_delivered_as_the_official_client_reads_it(tmp_path: Path) -> None:
    async def main() -> None:
        with receiving() as receiver:
            async with post_office(tmp_path, receiver) as post, post.working():
                _, secret = await post.endpoint(receiver.url("/hook"), "response.completed", "batch.failed")
                await post.announce("response.completed")
                await post.announce("response.failed")
                await post.announce("batch.failed", "batch_1")
                await post.emptied()
        events = {one["type"]: one for one in (unwrapped(got, secret) for got in receiver.got)}
        assert events.keys() == {"batch.failed", "response.completed"}
        completed = events["response.completed"]
        assert abs(completed.pop("created_at") - time.time()) < 60
        assert completed.pop("id").startswith("evt_")
        assert completed == {"object": "event", "type": "response.completed", "data": {"id": "resp_1"}}
        assert {got.path for got in receiver.got} == {"/hook"}
        assert len({got.headers["webhook-id"] for got in receiver.got}) == 2
        with pytest.raises(InvalidWebhookSignatureError):
            unwrapped(receiver.got[0], "whsec_AAAA")

    asyncio.run(main())


def test_a_receiver_that_fails_twice_gets_the_same_delivery_again(tmp_path: Path) -> None:
    async def main() -> None:
        with receiving(500, 302, 204) as receiver:
            async with post_office(tmp_path, receiver) as post, post.working():
                _, secret = await post.endpoint(receiver.url())
                await post.announce("response.completed")
                await post.emptied()
        assert len(receiver.got) == 3
        assert len({(got.headers["webhook-id"], got.body) for got in receiver.got}) == 1
        assert {got.path for got in receiver.got} == {"/"}
        for got in receiver.got:
            unwrapped(got, secret)

    asyncio.run(main())


def test_a_receiver_that_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    async def main() -> None:
        with receiving() as receiver:
            async with post_office(tmp_path, receiver) as post:
                await post.endpoint(receiver.url("/hang"), "batch.failed")
                await post.endpoint(receiver.url("/quick"), "batch.completed")
                for _ in range(200):
                    await post.announce("batch.failed")
                await post.announce("batch.completed")
                async with post.working():
                    began = time.monotonic()
                    await until(lambda: len(receiver.at("/quick")) == 1)
                    assert time.monotonic() - began < 2
                    await until(lambda: len(receiver.at("/hang")) == PACE.for_one)
                    await asyncio.sleep(0.2)
                    assert len(receiver.at("/hang")) == PACE.for_one

    asyncio.run(main())


def test_410_ends_a_delivery_and_so_does_deleting_the_endpoint(tmp_path: Path) -> None:
    async def main() -> None:
        with receiving(410) as gone, receiving(500) as broken:
            async with post_office(tmp_path, gone, broken) as post:
                await post.endpoint(gone.url(), "batch.failed")
                broken_id, _ = await post.endpoint(broken.url(), "batch.expired")
                await post.announce("batch.failed")
                await post.announce("batch.expired")
                async with post.working():
                    await until(lambda: len(broken.got) > 1)
                    assert len(gone.got) == 1
                    await post.hooks.delete(WHO, broken_id)
                    await post.emptied()
                    await post.worker.idle()
                    seen = len(broken.got)
                    await asyncio.sleep(4 * PACE.longest_retry)
                    assert len(broken.got) == seen

    asyncio.run(main())


def test_what_cannot_be_delivered_is_given_up_at_last(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        with receiving(503) as receiver:
            async with post_office(tmp_path, receiver) as post:
                post.deliveries.most_attempts = 3  # type: ignore[misc]
                _, secret = await post.endpoint(receiver.url("/t0ken"))
                await post.announce("response.completed")
                async with post.working():
                    await post.emptied()
        assert len(receiver.got) == 3
        assert "is given up: EngineFailed: the webhook endpoint answered 503" in caplog.text
        assert secret not in caplog.text
        assert "t0ken" not in caplog.text

    caplog.set_level(logging.DEBUG, "freehold")
    asyncio.run(main())


def test_the_attempts_spread_over_three_days() -> None:
    pace, pauses = Pace(), Deliveries.most_attempts - 1
    total = sum(min(pace.retry * 2.0**number, pace.longest_retry) for number in range(pauses))
    assert 66 < total / 3600 <= 72


def test_an_announcement_that_is_undone_sends_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with post_office(tmp_path) as post:
            await post.endpoint("https://nowhere.invalid")

            def fail(connection: object) -> None:
                post.hooks.announce(connection, "p", "batch.failed", "batch_1", 1.0)  # type: ignore[arg-type]
                raise NotFound("The batch is not there.")

            with pytest.raises(NotFound):
                await post.database.write(fail)
            assert not await post.waiting()

    asyncio.run(main())


def test_another_projects_endpoint_does_not_exist_and_hears_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with post_office(tmp_path) as post:
            endpoint_id, _ = await post.endpoint("https://nowhere.invalid", who=WHO)
            for refused in (
                post.hooks.retrieve(STRANGER, endpoint_id),
                post.hooks.update(STRANGER, endpoint_id, UpdateBody(name="x")),
                post.hooks.rotate_secret(STRANGER, endpoint_id, False),
                post.hooks.test(STRANGER, endpoint_id, "batch.failed"),
                post.hooks.delete(STRANGER, endpoint_id),
            ):
                with pytest.raises(NotFound, match=f"No webhook endpoint found with id '{endpoint_id}'"):
                    await refused
            assert (await post.hooks.list(STRANGER, None, 20)).data == ()
            with pytest.raises(Invalid, match="No webhook endpoint found"):
                await post.hooks.list(STRANGER, endpoint_id, 20)
            await post.announce("batch.failed", project="strangers")
            assert not await post.waiting()
            await post.announce("batch.failed")
            assert await post.waiting()
            await post.hooks.retrieve(WHO, endpoint_id)

    asyncio.run(main())


def test_a_rotated_secret_signs_alone_or_beside_the_old_one_for_a_day(tmp_path: Path) -> None:
    async def main() -> None:
        with receiving() as receiver:
            async with post_office(tmp_path, receiver) as post:
                endpoint_id, first = await post.endpoint(receiver.url())
                second = (await post.hooks.rotate_secret(WHO, endpoint_id, True)).signing_secret
                third = (await post.hooks.rotate_secret(WHO, endpoint_id, True)).signing_secret
                assert (await post.hooks.retrieve(WHO, endpoint_id)).signing_secret_hint == f"whsec_...{third[-4:]}"
                await post.hooks.test(WHO, endpoint_id, "batch.failed")
                for secret in (first, second, third):
                    unwrapped(receiver.got[-1], secret)
                post.shift = GRACE_SECONDS + 1
                await post.hooks.test(WHO, endpoint_id, "batch.failed")
                assert len(receiver.got[-1].headers["webhook-signature"].split()) == 1
                post.shift = 0
                fourth = (await post.hooks.rotate_secret(WHO, endpoint_id, False)).signing_secret
                await post.hooks.test(WHO, endpoint_id, "batch.failed")
                unwrapped(receiver.got[-1], fourth)
                with pytest.raises(InvalidWebhookSignatureError):
                    unwrapped(receiver.got[-1], third)

    asyncio.run(main())


def test_only_changes_move_the_time_of_the_last_change(tmp_path: Path) -> None:
    async def main() -> None:
        async with post_office(tmp_path) as post:
            endpoint_id, _ = await post.endpoint("https://nowhere.invalid", "batch.failed", "batch.failed")
            made = await post.hooks.retrieve(WHO, endpoint_id)
            assert made.event_types == ("batch.failed",)
            post.shift = 100
            assert await post.hooks.update(WHO, endpoint_id, UpdateBody()) == made
            assert await post.hooks.update(WHO, endpoint_id, UpdateBody(name="n")) == made
            changed = await post.hooks.update(WHO, endpoint_id, UpdateBody(name="other"))
            assert changed.updated_at >= made.updated_at + 100
            assert (changed.name, changed.url, changed.created_at) == ("other", made.url, made.created_at)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://", "expected an http or https URL"),
        ("nonsense", "expected an http or https URL"),
        ("ftp://example.com", "expected an http or https URL"),
        ("https://127.0.0.1/hook", "not on the public internet"),
        ("https://169.254.169.254/latest", "not on the public internet"),
        ("https://[::1]/hook", "not on the public internet"),
        ("https://10.0.0.7:443/hook", "not on the public internet"),
        ("https://0x7f000001/", "no IP address in its usual form"),
        ("https://user:word@example.com/", "user name or password"),
        ("https://example.com:8443/", "port 8443 is not allowed"),
        ("http://example.com/", "expected an https URL"),
    ],
)
def test_a_url_that_will_not_be_sent_to_is_refused(tmp_path: Path, url: str, words: str) -> None:
    async def main() -> None:
        async with post_office(tmp_path) as post:
            with pytest.raises(Invalid, match=words) as caught:
                await post.endpoint(url)
            assert caught.value.param == "url"
            endpoint_id, _ = await post.endpoint("https://nowhere.invalid")
            with pytest.raises(Invalid, match=words):
                await post.hooks.update(WHO, endpoint_id, UpdateBody(url=url))
            with pytest.raises(Invalid, match=r"the host nowhere\.invalid is not known"):
                await post.hooks.test(WHO, endpoint_id, "batch.failed")

    asyncio.run(main())


def test_the_secrets_are_not_in_the_database(tmp_path: Path) -> None:
    async def main() -> str:
        async with post_office(tmp_path) as post:
            endpoint_id, secret = await post.endpoint("https://nowhere.invalid")
            assert secret not in str(await post.hooks.retrieve(WHO, endpoint_id))
            assert secret not in str(await post.hooks.list(WHO, None, 20))
            return secret

    secret = asyncio.run(main())
    stored = stored_bytes(tmp_path)
    assert b"nowhere.invalid" in stored
    assert secret.removeprefix("whsec_").encode() not in stored
