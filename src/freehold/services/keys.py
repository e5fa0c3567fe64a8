"""API keys: made, shown once, recognised, revoked."""

import hmac
import logging
import os
import secrets
import time
from pathlib import Path

from freehold.core.errors import Denied, NotFound, StorageFailed
from freehold.core.ids import Clock, random_id
from freehold.core.principal import Principal
from freehold.storage.repos.keys import KeyRow, KeyRows

log = logging.getLogger(__name__)

PREFIX = "sk-fh-"
PEPPER_BYTES = 32
FRESH_SECONDS = 5.0
MOST_CACHED = 10_000
DEFAULT_PROJECT = "default"

MISSING = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY). Make a key with `freehold keys create`."
)


class Keys:
    """The keys of this server. A random key of 256 bits needs no slow hash: HMAC-SHA256 with a pepper from the disk."""

    def __init__(self, rows: KeyRows, secret: bytes, clock: Clock = time.monotonic) -> None:
        """`secret` is the pepper; `clock` counts seconds."""
        self._rows = rows
        self._clock = clock
        self._keyed = hmac.new(secret, digestmod="sha256")
        self._given: dict[bytes, Principal] = {}
        self._known: dict[bytes, tuple[Principal, float]] = {}

    async def create(self, name: str, project: str = DEFAULT_PROJECT, owner: bool = False) -> tuple[KeyRow, str]:
        """Make a key; the secret that comes with its row is stored nowhere."""
        secret = PREFIX + secrets.token_urlsafe(32)
        row = KeyRow(
            id=random_id("key_"),
            project=project,
            name=name,
            hash=self._hash(secret),
            hint=secret[-4:],
            owner=owner,
            created=int(time.time()),
        )
        await self._rows.add(row)
        return row, secret

    async def list(self) -> list[KeyRow]:
        """Return every key, revoked ones too, oldest first."""
        return await self._rows.list()

    async def revoke(self, key_id: str) -> None:
        """Revoke a key; other processes notice within five seconds. Raises NotFound."""
        if not await self._rows.revoke(key_id, int(time.time())):
            raise NotFound(f"No API key with id '{key_id}'. See `freehold keys list`.")
        self._known.clear()

    def accept(self, secret: str, project: str = DEFAULT_PROJECT) -> None:
        """Make a given secret an owner's key while this process lives; it is not stored."""
        self._given[self._hash(secret)] = Principal(project, "key_given", owner=True)

    @property
    def given(self) -> bool:
        """Whether a secret was given to `accept`."""
        return bool(self._given)

    async def authenticate(self, secret: str | None) -> Principal:
        """Return who holds a secret. Raises Denied, with OpenAI's words, when nobody does or none was sent."""
        if not secret:
            raise Denied(MISSING)
        hashed = self._hash(secret)
        given = self._given.get(hashed)
        if given is not None:
            return given
        known = self._known.get(hashed)
        now = self._clock()
        if known is not None and known[1] > now:
            return known[0]
        row = await self._rows.find(hashed)
        if row is None or row.revoked is not None:
            self._known.pop(hashed, None)
            raise Denied(
                f"Incorrect API key provided: {_masked(secret)}. You can see this server's keys with "
                "`freehold keys list`, and make one with `freehold keys create`.",
                "invalid_api_key",
            )
        if len(self._known) >= MOST_CACHED:
            self._known.clear()
        who = Principal(row.project, row.id, row.owner)
        self._known[hashed] = (who, now + FRESH_SECONDS)
        return who

    def _hash(self, secret: str) -> bytes:
        keyed = self._keyed.copy()  # cheaper than to begin with the pepper each time
        keyed.update(secret.encode("utf-8", "surrogateescape"))
        return keyed.digest()


def _masked(secret: str) -> str:
    if len(secret) < 12:
        return "*" * len(secret)
    return f"{secret[:5]}{'*' * min(len(secret) - 9, 32)}{secret[-4:]}"


def pepper(path: Path) -> bytes:
    """Return the pepper, made and written whole on first use, whoever comes first.

    Servers on one database must have the same one. Raises StorageFailed when it cannot be made or read.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(PEPPER_BYTES))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(draft, path)
            except FileExistsError:
                log.info("another process made %s first; its pepper counts", path)
            finally:
                draft.unlink()
            _sync(path.parent)
        pepper = path.read_bytes()
    except OSError as error:
        raise StorageFailed(f"The file {path} cannot be made or read: {error.strerror}.") from error
    if len(pepper) != PEPPER_BYTES:
        raise StorageFailed(f"The file {path} is damaged: it must hold {PEPPER_BYTES} bytes. Restore it from a backup.")
    return pepper


def _sync(folder: Path) -> None:
    # A pepper whose name a power cut undoes would make every stored key worthless.
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
