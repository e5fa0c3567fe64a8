"""Keys: shown once, stored as a hash, recognised from memory, and gone when they are revoked anywhere."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from freehold.core.errors import Denied, NotFound, StorageFailed
from freehold.core.principal import Principal
from freehold.services.keys import FRESH_SECONDS, MOST_CACHED, Keys, pepper
from freehold.storage.database import open_database
from freehold.storage.repos.keys import KeyRow, KeyRows
from tests.databases import database_url, stored_bytes

IN_ANOTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from freehold.services.keys import Keys, pepper
from freehold.storage.database import open_database
from freehold.storage.repos.keys import KeyRows

async def main(folder, url, verb, argument):
    async with open_database(url, folder) as database:
        keys = Keys(KeyRows(database), pepper(folder / "pepper"))
        if verb == "create":
            print((await keys.create(argument))[1])
        else:
            await keys.revoke(argument)

asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
"""


class Clock:
    """A clock that moves when it is told to, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CountingRows(KeyRows):
    """Key rows that count how often they were asked for a hash."""

    reads = 0

    async def find(self, hash: bytes) -> KeyRow | None:
        self.reads += 1
        return await super().find(hash)


def with_keys(folder: Path, work: Callable[[Keys, CountingRows, Clock], Awaitable[None]]) -> None:
    """Run `work` on the keys of a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            rows, clock = CountingRows(database), Clock()
            await work(Keys(rows, pepper(folder / "pepper"), clock), rows, clock)

    asyncio.run(main())


def in_another_process(folder: Path, verb: str, argument: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, folder, database_url(folder), verb, argument],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_a_key_is_recognised_and_its_secret_stored_nowhere(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        row, secret = await keys.create("laptop", "research")
        assert secret.startswith("sk-fh-")
        assert len(secret) == len("sk-fh-") + 43
        assert row.id.startswith("key_")
        assert row.hint == secret[-4:]
        assert await keys.list() == [row]
        assert await keys.authenticate(secret) == Principal("research", row.id, owner=False)
        assert row.id.encode() in stored_bytes(tmp_path)
        assert secret.encode() not in stored_bytes(tmp_path)

    with_keys(tmp_path, work)


def test_an_owners_key_says_so(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        row, secret = await keys.create("root", owner=True)
        assert await keys.authenticate(secret) == Principal("default", row.id, owner=True)

    with_keys(tmp_path, work)


def test_a_known_key_is_read_once_in_five_seconds(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        _, secret = await keys.create("laptop")
        for _ in range(3):
            await keys.authenticate(secret)
        assert rows.reads == 1
        clock.now += FRESH_SECONDS
        await keys.authenticate(secret)
        assert rows.reads == 2

    with_keys(tmp_path, work)


@pytest.mark.parametrize("secret", [None, ""])
def test_no_key_is_denied_in_openais_words(tmp_path: Path, secret: str | None) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        with pytest.raises(
            Denied, match=r"^You didn't provide an API key\. You need to provide your API key"
        ) as caught:
            await keys.authenticate(secret)
        assert caught.value.code is None
        assert rows.reads == 0

    with_keys(tmp_path, work)


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-ab1234567890wxyz", "sk-ab**********wxyz"),
        ("sk-fh-" + "q" * 500, "sk-fh" + "*" * 32 + "qqqq"),
        ("short", "*****"),
        ("sk-ab😀\udc80é567890wxyz", "sk-ab*********wxyz"),
    ],
)
def test_a_wrong_key_is_denied_and_not_repeated(tmp_path: Path, secret: str, shown: str) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        with pytest.raises(Denied) as caught:
            await keys.authenticate(secret)
        assert caught.value.message.startswith(f"Incorrect API key provided: {shown}. ")
        assert secret not in caught.value.message
        assert caught.value.code == "invalid_api_key"

    with_keys(tmp_path, work)


def test_wrong_keys_are_not_remembered_nor_written(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        await keys.create("good")
        before = stored_bytes(tmp_path)
        remembered = len(keys._known)
        for n in range(50):
            with pytest.raises(Denied):
                await keys.authenticate(f"sk-fh-guess-number-{n}")
        assert len(keys._known) == remembered
        assert stored_bytes(tmp_path) == before

    with_keys(tmp_path, work)


def test_good_keys_do_not_fill_the_memory_either(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        _, secret = await keys.create("good")
        keys._known.update({b"%d" % n: (Principal("p", "k"), clock.now) for n in range(MOST_CACHED)})
        await keys.authenticate(secret)
        assert len(keys._known) <= MOST_CACHED

    with_keys(tmp_path, work)


def test_a_revoked_key_is_denied_at_once(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        row, secret = await keys.create("lost")
        _, other = await keys.create("kept")
        await keys.authenticate(secret)
        await keys.revoke(row.id)
        with pytest.raises(Denied, match="Incorrect API key provided"):
            await keys.authenticate(secret)
        await keys.authenticate(other)
        await keys.revoke(row.id)
        assert {one.name: one.revoked is not None for one in await keys.list()} == {"lost": True, "kept": False}

    with_keys(tmp_path, work)


def test_revoking_an_unknown_key_says_so(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        with pytest.raises(NotFound, match="No API key with id 'key_nowhere'"):
            await keys.revoke("key_nowhere")

    with_keys(tmp_path, work)


def test_a_key_made_and_revoked_by_another_process(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        secret = await asyncio.to_thread(in_another_process, tmp_path, "create", "theirs")
        who = await keys.authenticate(secret)
        await asyncio.to_thread(in_another_process, tmp_path, "revoke", who.key)
        clock.now += FRESH_SECONDS
        with pytest.raises(Denied, match="Incorrect API key provided"):
            await keys.authenticate(secret)

    with_keys(tmp_path, work)


def test_a_given_key_counts_while_the_process_lives(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        assert not keys.given
        keys.accept("my-own-key", "research")
        assert keys.given
        assert await keys.authenticate("my-own-key") == Principal("research", "key_given", owner=True)
        assert await keys.list() == []
        assert rows.reads == 0
        with pytest.raises(Denied):
            await Keys(rows, pepper(tmp_path / "pepper")).authenticate("my-own-key")

    with_keys(tmp_path, work)


def test_the_pepper_is_private_and_stays(tmp_path: Path) -> None:
    async def work(keys: Keys, rows: CountingRows, clock: Clock) -> None:
        file = tmp_path / "pepper"
        assert file.stat().st_mode & 0o777 == 0o600
        assert len(file.read_bytes()) == 32
        _, secret = await keys.create("laptop")
        await Keys(rows, pepper(file)).authenticate(secret)
        file.write_bytes(os.urandom(32))
        with pytest.raises(Denied):
            await Keys(rows, pepper(file)).authenticate(secret)

    with_keys(tmp_path, work)


def test_whoever_comes_first_all_use_one_pepper(tmp_path: Path) -> None:
    async def work(_: Keys, rows: CountingRows, clock: Clock) -> None:
        folder = tmp_path / "new"
        together = Barrier(8)

        def start() -> Keys:
            together.wait(10)
            return Keys(rows, pepper(folder / "shared"))

        with ThreadPoolExecutor(8) as threads:
            every = [start.result() for start in [threads.submit(start) for _ in range(8)]]
        _, secret = await every[0].create("shared")
        assert len({(await keys.authenticate(secret)).key for keys in every}) == 1
        assert [file.name for file in folder.iterdir()] == ["shared"]

    with_keys(tmp_path, work)


def test_a_damaged_pepper_is_not_used(tmp_path: Path) -> None:
    async def work(_: Keys, rows: CountingRows, clock: Clock) -> None:
        (tmp_path / "pepper").write_bytes(b"half")
        with pytest.raises(StorageFailed, match=r"pepper is damaged: it must hold 32 bytes"):
            pepper(tmp_path / "pepper")

    with_keys(tmp_path, work)
