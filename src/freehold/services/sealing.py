"""Sealed texts: what a client keeps for us, and can neither read nor change."""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import json
from msgspec.structs import replace

from freehold.core.errors import Invalid
from freehold.core.items import Compaction, Item, Reasoning, ReasoningText

THOUGHT, COMPACTED = "reasoning", "compaction"
_VERSION = b"\x01"
_NONCE = 12
_TAG = 16


class Seals:
    """Seals with AES-256-GCM under a key that is derived from the server's own secret.

    A seal is bound to its project and to what it is of: it opens nowhere else.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.new(secret, b"freehold sealed content 1", hashlib.sha256).digest()

    def seal(self, project: str, what: str, text: str) -> str:
        """Return the text sealed, as URL-safe base64. `what` is e.g. `reasoning`."""
        nonce = secrets.token_bytes(_NONCE)
        cipher = self._cipher(nonce, project, what)
        sealed, tag = cipher.encrypt_and_digest(text.encode())
        return base64.urlsafe_b64encode(_VERSION + nonce + tag + sealed).decode()

    def open(self, project: str, what: str, sealed: str, param: str) -> str:
        """Return the text. Raises Invalid that names `param` when it was not sealed here, for this, or was changed."""
        try:
            raw = base64.urlsafe_b64decode(sealed.encode("ascii"))
            written = base64.urlsafe_b64encode(raw).decode()  # several texts decode to the same bytes: one is ours
            if written != sealed or raw[:1] != _VERSION or len(raw) < 1 + _NONCE + _TAG:
                raise ValueError("no seal of ours")
            nonce, tag = raw[1 : 1 + _NONCE], raw[1 + _NONCE : 1 + _NONCE + _TAG]
            cipher = self._cipher(nonce, project, what)
            return cipher.decrypt_and_verify(raw[1 + _NONCE + _TAG :], tag).decode()
        except (ValueError, binascii.Error):
            raise Invalid(
                "The encrypted content could not be verified. Reason: it was changed, or was not made by this server "
                "for this project.",
                "invalid_encrypted_content",
                param,
            ) from None

    def _cipher(self, nonce: bytes, project: str, what: str) -> Any:
        from Cryptodome.Cipher import AES  # noqa: PLC0415  slow, and most servers never seal

        cipher = AES.new(self._key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG)
        cipher.update(_bound(project, what))
        return cipher

    def seal_thought(self, project: str, thought: Reasoning) -> Reasoning:
        """Return a thought that also carries itself encrypted."""
        text = json.encode([part.text for part in thought.content]).decode()
        return replace(thought, encrypted_content=self.seal(project, THOUGHT, text))

    def open_items(self, project: str, items: Sequence[Item], path: str = "input") -> Iterator[Item]:
        """Yield the items with sealed thoughts opened: what is sealed counts, whatever stands beside it.

        Raises Invalid that names the item, in the array at `path`, for a seal that is not ours.
        """
        for place, item in enumerate(items):
            param = f"{path}[{place}].encrypted_content"
            if isinstance(item, Reasoning) and isinstance(item.encrypted_content, str):
                text = self.open(project, THOUGHT, item.encrypted_content, param)
                yield replace(item, content=tuple(map(ReasoningText, json.decode(text, type=tuple[str, ...]))))
            else:
                if isinstance(item, Compaction):
                    self.open(project, COMPACTED, item.encrypted_content, param)
                yield item

    def check_items(self, project: str, items: Sequence[Item], path: str) -> None:
        """Refuse seals that are not ours, as `open_items` does."""
        for _ in self.open_items(project, items, path):
            pass


def _bound(project: str, what: str) -> bytes:
    return what.encode() + b"\0" + project.encode()
