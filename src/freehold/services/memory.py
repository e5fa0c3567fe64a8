"""What answering asks of stored state: what was said before, and where what is said now is kept."""

from collections.abc import Awaitable, Callable
from typing import Any

from freehold.core.errors import Invalid
from freehold.core.events import Ending
from freehold.core.items import Item
from freehold.core.ports import Served
from freehold.core.principal import Principal
from freehold.core.prompt import Ask
from freehold.services.completions import Completions
from freehold.services.conversations import Conversations
from freehold.services.items import Items
from freehold.services.responses import Responses
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.responses.request import ResponseBody

Keep = Callable[[Any, Ending], Awaitable[None]]
"""Stores a final object; it is told how the run that made it ended."""


class Memory:
    """The stored responses, conversations and chat completions, as one answer sees them."""

    def __init__(
        self, items: Items, responses: Responses, conversations: Conversations, completions: Completions
    ) -> None:
        self._items = items
        self._responses = responses
        self._conversations = conversations
        self._completions = completions

    async def follow(self, who: Principal, items: tuple[Item, ...]) -> tuple[Item, ...]:
        """Return the items of an input, references replaced. Raises NotFound for one that leads nowhere."""
        return await self._items.follow(who, items, "input")

    async def history(self, who: Principal, ask: Ask) -> tuple[Item, ...]:
        """Return what was said before: in the chain of responses, or in the conversation.

        Raises Invalid when both are named and when the chain is not there, NotFound when the conversation is not.
        """
        if ask.previous is not None and ask.conversation is not None:
            raise Invalid(
                "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only "
                "providing one of: 'previous_response_id' or 'conversation'.",
                "mutually_exclusive_parameters",
            )
        if ask.conversation is not None:
            return await self._conversations.history(who, ask.conversation)
        return () if ask.previous is None else await self._responses.history(who, ask.previous)

    def keeper(self, who: Principal, body: object, ask: Ask, served: Served) -> Keep | None:
        """Return what stores the final object of a request before its last frame; None when nothing is kept."""
        if isinstance(body, ChatBody) and ask.keep:

            async def keep_completion(result: Any, ending: Ending) -> None:
                if ending in ("completed", "incomplete"):
                    await self._completions.keep(who, body, served, result)

            return keep_completion
        if isinstance(body, ResponseBody) and (ask.keep or ask.conversation is not None):

            async def keep_response(result: Any, _: Ending) -> None:
                await self._responses.keep(who, ask, result)

            return keep_response
        return None
