"""Stored chat completions: keep, find, list, change their metadata, delete."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from freehold.core.errors import Invalid, NotFound
from freehold.core.ports import Served
from freehold.core.principal import Principal
from freehold.storage.repos.completions import CompletionRow, CompletionRows, Kept
from freehold.surfaces.chat.objects import ChatCompletion
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.chat.stored import (
    CompletionDeleted,
    CompletionPage,
    MessagePage,
    StoredCompletion,
    StoredMessage,
    stored,
    stored_messages,
)


class Completions:
    """The stored chat completions of every project, each seen by its own only."""

    def __init__(self, rows: CompletionRows) -> None:
        self._rows = rows
        self._encode = msgspec.json.Encoder().encode
        self._completion = msgspec.json.Decoder(StoredCompletion).decode
        self._messages = msgspec.json.Decoder(tuple[StoredMessage, ...]).decode

    async def keep(self, who: Principal, body: ChatBody, served: Served, completion: ChatCompletion) -> None:
        """Store a finished completion with its messages; when this returns, it survives a crash."""
        row = CompletionRow(
            id=completion.id,
            project=who.project,
            model=completion.model,
            messages=self._encode(stored_messages(completion.id, body.messages)),
            body=self._encode(stored(body, served, completion, who.request)),
        )
        await self._rows.add(row, body.metadata or {})

    async def retrieve(self, who: Principal, completion_id: str) -> StoredCompletion:
        """Return a stored completion. Raises NotFound."""
        kept = await self._rows.get(who.project, completion_id)
        if kept is None:
            raise missing(completion_id)
        return self._read(kept)

    async def update(self, who: Principal, completion_id: str, metadata: Mapping[str, str]) -> StoredCompletion:
        """Replace a stored completion's metadata. Raises NotFound."""
        kept = await self._rows.update(who.project, completion_id, metadata)
        if kept is None:
            raise missing(completion_id)
        return self._read(kept)

    async def delete(self, who: Principal, completion_id: str) -> CompletionDeleted:
        """Delete a stored completion. Raises NotFound."""
        if not await self._rows.delete(who.project, completion_id):
            raise missing(completion_id)
        return CompletionDeleted(completion_id)

    async def list(
        self,
        who: Principal,
        model: str | None,
        metadata: Mapping[str, str],
        after: str | None,
        limit: int,
        order: Literal["asc", "desc"],
    ) -> CompletionPage:
        """Return a page of the completions of a model that have all of the metadata.

        Raises Invalid when `after` is not there.
        """
        kept, has_more = await self._rows.page(who.project, model, metadata, after, limit, order)
        data = tuple(self._read(one) for one in kept)
        return CompletionPage(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=has_more,
        )

    async def messages(
        self, who: Principal, completion_id: str, after: str | None, limit: int, order: Literal["asc", "desc"]
    ) -> MessagePage:
        """Return a page of the messages that a completion answers.

        Raises NotFound, and Invalid when `after` is not among them.
        """
        kept = await self._rows.messages(who.project, completion_id)
        if kept is None:
            raise missing(completion_id)
        every = self._messages(kept)
        if order == "desc":
            every = every[::-1]
        ids = [message.id for message in every]
        if after is not None and after not in ids:
            raise Invalid(
                f"No message with id '{after}' found in the chat completion '{completion_id}'.",
                "invalid_value",
                "after",
            )
        start = 0 if after is None else ids.index(after) + 1
        data = every[start : start + limit]
        return MessagePage(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=len(every) > start + limit,
        )

    def _read(self, kept: Kept) -> StoredCompletion:
        return replace(self._completion(kept.body), metadata=kept.metadata)


def missing(completion_id: str) -> NotFound:
    """The fault for a completion that this project did not store."""
    return NotFound(f"Chat completion with id '{completion_id}' not found.")
