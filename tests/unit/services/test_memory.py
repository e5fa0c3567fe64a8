"""What answering asks of stored state: history by chain or conversation, and what is kept of which answer."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from freehold.core.errors import Invalid, NotFound
from freehold.core.items import InputText, Item, ItemReference, Message, OutputText
from freehold.core.ports import Served
from freehold.core.principal import Principal
from freehold.core.prompt import Ask
from freehold.core.surface import Stamp
from freehold.services.chains import Chains
from freehold.services.completions import Completions
from freehold.services.conversations import Conversations
from freehold.services.items import Items
from freehold.services.memory import Memory
from freehold.services.responses import Responses
from freehold.services.sealing import Seals
from freehold.storage.database import open_database
from freehold.storage.repos.completions import CompletionRows
from freehold.storage.repos.conversations import ConversationRows
from freehold.storage.repos.items import ItemRows
from freehold.storage.repos.responses import ResponseRows
from freehold.surfaces.chat.objects import ChatCompletion, ChatUsage, CompletionDetails, PromptDetails
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.chat.request import parse as parse_chat
from freehold.surfaces.responses.begin import begin
from freehold.surfaces.responses.objects import Response
from freehold.surfaces.responses.request import ResponseBody, parse
from tests.databases import database_url
from tests.house import fixed_chance

WHO = Principal("p", "key", request="req_7")
SERVED = Served(name="m", context=100, max_output=10, created=1)
STAMP = Stamp("resp_1", 1, SERVED, lambda: 1.0, "")
ANSWER = Message(id="msg_answer", role="assistant", content=(OutputText("Yes."),))


class Stored:
    """A memory on a new database, and the services that it is made of."""

    def __init__(self, database: Any) -> None:
        chance = fixed_chance()
        seals = Seals(b"secret")
        items = Items(ItemRows(database), seals, chance.mint)
        self.responses = Responses(ResponseRows(database), items, Chains())
        self.conversations = Conversations(ConversationRows(database), items, seals, chance.mint, chance.clock)
        self.completions = Completions(CompletionRows(database))
        self.memory = Memory(items, self.responses, self.conversations, self.completions)

    async def keep(self, status: str, **body: Any) -> bool:
        """Keep the response to a body, as it ended; False when nothing would be kept."""
        given = msgspec.convert(body, ResponseBody)
        keep = self.memory.keeper(WHO, given, parse(given), SERVED)
        response = replace(begin(given, STAMP), status=status, output=(ANSWER,))  # type: ignore[arg-type]
        if keep is not None:
            await keep(response, status)  # type: ignore[arg-type]
        return keep is not None


def with_stored(folder: Path, work: Callable[[Stored], Awaitable[None]]) -> None:
    """Run `work` on a memory with a new database."""

    async def main() -> None:
        async with open_database(database_url(folder), folder) as database:
            await work(Stored(database))

    asyncio.run(main())


def texts(items: tuple[Item, ...]) -> list[str]:
    return [part.text for item in items if isinstance(item, Message) for part in item.content if hasattr(part, "text")]


def ask(**fields: Any) -> Ask:
    return Ask(model=None, items=(), **fields)


def test_nothing_was_said_before_an_ask_that_names_nothing(tmp_path: Path) -> None:
    async def work(stored: Stored) -> None:
        assert await stored.memory.history(WHO, ask()) == ()

    with_stored(tmp_path, work)


def test_a_chain_and_a_conversation_exclude_each_other(tmp_path: Path) -> None:
    async def work(stored: Stored) -> None:
        with pytest.raises(Invalid, match="'previous_response_id' and 'conversation'") as caught:
            await stored.memory.history(WHO, ask(previous="resp_1", conversation="conv_1"))
        assert caught.value.code == "mutually_exclusive_parameters"

    with_stored(tmp_path, work)


def test_what_is_not_there_is_a_fault(tmp_path: Path) -> None:
    async def work(stored: Stored) -> None:
        with pytest.raises(NotFound, match="Conversation with id 'conv_1' not found"):
            await stored.memory.history(WHO, ask(conversation="conv_1"))
        with pytest.raises(Invalid) as caught:
            await stored.memory.history(WHO, ask(previous="resp_1"))
        assert caught.value.code == "previous_response_not_found"
        with pytest.raises(NotFound) as missing:
            await stored.memory.follow(WHO, (ItemReference("msg_1"),))
        assert missing.value.param == "input"

    with_stored(tmp_path, work)


@pytest.mark.parametrize(("status", "added"), [("completed", True), ("incomplete", True), ("failed", False)])
def test_a_turn_is_added_to_its_conversation_unless_it_failed(tmp_path: Path, status: str, added: bool) -> None:
    async def work(stored: Stored) -> None:
        first = Message(role="user", content=(InputText("Hello."),))
        conversation = await stored.conversations.create(WHO, {}, (first,))
        assert await stored.keep(status, input="Really?", conversation=conversation.id)
        said = texts(await stored.memory.history(WHO, ask(conversation=conversation.id)))
        assert said == (["Hello.", "Really?", "Yes."] if added else ["Hello."])
        response = await stored.responses.retrieve(WHO, "resp_1")
        assert isinstance(response, Response)
        assert response.status == status
        assert texts(await stored.memory.history(WHO, ask(previous="resp_1"))) == ["Really?", "Yes."]

    with_stored(tmp_path, work)


def test_a_turn_that_is_not_stored_is_still_added_to_its_conversation(tmp_path: Path) -> None:
    async def work(stored: Stored) -> None:
        conversation = await stored.conversations.create(WHO, {}, ())
        assert await stored.keep("completed", input="Really?", conversation={"id": conversation.id}, store=False)
        assert texts(await stored.conversations.history(WHO, conversation.id)) == ["Really?", "Yes."]
        with pytest.raises(NotFound):
            await stored.responses.retrieve(WHO, "resp_1")
        assert not await stored.keep("completed", input="Really?", store=False)

    with_stored(tmp_path, work)


@pytest.mark.parametrize(("ending", "kept"), [("completed", True), ("incomplete", True), ("failed", False)])
def test_a_chat_completion_is_kept_when_asked_unless_it_failed(tmp_path: Path, ending: Any, kept: bool) -> None:
    usage = ChatUsage(1, 1, 2, PromptDetails(), CompletionDetails())
    completion = ChatCompletion(id="chatcmpl-1", created=1, model="m", choices=(), usage=usage, system_fingerprint="")
    message = {"role": "user", "content": "Hello."}

    async def work(stored: Stored) -> None:
        body = msgspec.convert({"model": "m", "messages": [message], "store": True}, ChatBody)
        keep = stored.memory.keeper(WHO, body, parse_chat(body), SERVED)
        assert keep is not None
        await keep(completion, ending)
        page = await stored.completions.list(WHO, None, {}, None, 20, "asc")
        assert [(one.id, one.request_id) for one in page.data] == ([("chatcmpl-1", "req_7")] if kept else [])
        silent = msgspec.convert({"model": "m", "messages": [message]}, ChatBody)
        assert stored.memory.keeper(WHO, silent, parse_chat(silent), SERVED) is None

    with_stored(tmp_path, work)
