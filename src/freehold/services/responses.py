"""Stored responses: keep, find, list their input, delete, and the history that a next turn reads."""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice
from typing import Literal

import msgspec

from freehold.core.errors import Invalid, NotFound
from freehold.core.items import Item
from freehold.core.principal import Principal
from freehold.core.prompt import Ask
from freehold.services.chains import Chains
from freehold.services.items import Items
from freehold.services.running import Running
from freehold.storage.repos.responses import Link, ResponseRow, ResponseRows
from freehold.surfaces.responses.objects import ItemPage, Response, ResponseDeleted, frame
from freehold.surfaces.responses.project import replay


class Responses:
    """The stored responses of every project, each seen by its own only."""

    def __init__(self, rows: ResponseRows, items: Items, chains: Chains) -> None:
        self._rows = rows
        self._items = items
        self._chains = chains
        self._encode = msgspec.json.Encoder().encode
        self._response = msgspec.json.Decoder(Response).decode

    async def history(self, who: Principal, previous: str) -> tuple[Item, ...]:
        """Return every item of the conversation that ends with the response `previous`, oldest first.

        Raises Invalid (`previous_response_not_found`) when it, or any response before it, is not there.
        """
        links = await self._rows.history(who.project, previous, self._chains.links)
        found = None if links is None else self._said(links)
        if links is not None and found is None:  # what was known when the database was asked is forgotten by now
            links = await self._rows.history(who.project, previous)
            found = None if links is None else self._said(links)
        if found is None:
            raise Invalid(
                f"Previous response with id '{previous}' not found.",
                "previous_response_not_found",
                "previous_response_id",
            )
        return found

    def _said(self, links: Sequence[Link]) -> tuple[Item, ...] | None:
        """Return the items of a chain; None when some are neither there nor known."""
        parts: list[tuple[Item, ...]] = []
        new: list[tuple[Link, tuple[Item, ...]]] = []
        for link in links:
            part = self._chains.get(link.response) if link.items is None else self._items.read(link.items)
            if part is None:
                return None
            parts.append(part)
            if link.items is not None:
                new.append((link, part))
        for link, part in new:
            self._chains.keep(link.response, link.previous, part, sum(len(row.body) for row in link.items or ()))
        return tuple(chain.from_iterable(parts))

    async def keep(self, who: Principal, ask: Ask, response: Response) -> None:
        """Store a finished response with its input; when this returns, it survives a crash.

        What was said in a conversation is added to it, whether or not the response is stored; a failed turn is not.
        """
        row = ResponseRow(
            id=response.id,
            project=who.project,
            previous=ask.previous,
            created=response.created_at,
            status=response.status,
            model=response.model,
            body=self._encode(msgspec.structs.replace(response, output=())),
        )
        inputs, outputs = self._items.write((*ask.before, *ask.items)), self._items.write(response.output)
        if ask.conversation is not None and response.status in ("completed", "incomplete"):
            await self._rows.add_turn(row, inputs, outputs, ask.conversation, stored=ask.keep)
        elif ask.keep:
            await self._rows.add(row, inputs, outputs)

    async def retrieve(self, who: Principal, response_id: str, include: Collection[str] = ()) -> Response:
        """Return a stored response as it was answered, and what `include` adds to that. Raises NotFound."""
        found = await self._rows.get(who.project, response_id)
        if found is None:
            raise missing(response_id)
        row, output = found
        response = self._response(row.body)
        items = self._items.sealed(who, self._items.read(output), include)
        return msgspec.structs.replace(response, status=row.status, output=items)

    async def replay(self, who: Principal, response_id: str, after: int | None, pad: str | None) -> Iterator[bytes]:
        """Return the stream of a stored response again, from the event after number `after`. Raises NotFound."""
        response = await self.retrieve(who, response_id)
        skipped = 0 if after is None else after + 1
        return (frame(event) for event in islice(replay(response, pad), skipped, None))

    async def delete(self, who: Principal, response_id: str) -> ResponseDeleted:
        """Delete a stored response and its items; responses that continue it can then no longer be continued.

        Raises NotFound.
        """
        if not await self._rows.delete(who.project, response_id):
            raise missing(response_id)
        return ResponseDeleted(response_id)

    async def cancel(self, who: Principal, response_id: str, running: Running) -> Response:
        """Stop a response that is under way and return it; one that has ended is returned as it is.

        Raises NotFound.
        """
        stopped = await running.stop(who, response_id)
        return stopped if isinstance(stopped, Response) else await self.retrieve(who, response_id)

    async def input_items(
        self,
        who: Principal,
        response_id: str,
        after: str | None,
        limit: int,
        order: Literal["asc", "desc"],
        include: Collection[str],
    ) -> ItemPage:
        """Return a page of everything the response was given: the earlier turns' items, then its own input.

        Raises NotFound, and Invalid when `after` is not among the items.
        """
        page = await self._rows.page_inputs(who.project, response_id, after, limit, order)
        if page is None:
            raise missing(response_id)
        rows, has_more = page
        data = self._items.show(who, rows, include)
        return ItemPage(
            data=data,
            first_id=data[0].id if data else None,
            last_id=data[-1].id if data else None,
            has_more=has_more,
        )


def missing(response_id: str) -> NotFound:
    """The fault for a response that this project does not have."""
    return NotFound(f"Response with id '{response_id}' not found.")
