"""What an upstream is and can: it is asked, and where it has no words for that, tried out."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct, json
from msgspec.structs import replace

from freehold.engines.remote import wire
from freehold.engines.remote.broken import Garbled, Silent
from freehold.engines.remote.client import Client, Patience
from freehold.engines.remote.dialects import DIALECTS, PLAIN, Dialect
from freehold.engines.remote.faults import refused

ASKING = Patience(connect=3.0, first=5.0, between=5.0)
TRYING = Patience(connect=3.0, first=60.0, between=60.0)
_MOST = 4 << 20
_OWNERS: Mapping[str, str] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama-server",
    "library": "ollama",
    "freehold": "freehold",
    "openai": "openai",
    "openai-internal": "openai",
    "system": "openai",
}
_STRUCTURED_SINCE = (0, 11)
_TRIAL: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": ["freehold"]}},
    "required": ["answer"],
    "additionalProperties": False,
}
_PER_RANK = "effective_max_running_requests_per_dp"
_THINKING_MARKS = ("<think>", "<|channel|>", "enable_thinking", "reasoning_content")


class Ability(Struct, frozen=True, kw_only=True):
    """What a model of an upstream can; `context` is None where the upstream does not say."""

    context: int | None = None
    schema: bool = False
    logprobs: bool = False
    thinking: bool = False
    vision: bool = False


class Facts(Struct, frozen=True, kw_only=True):
    """What was found out about an upstream.

    `listed` is every name that it told, `models` those that matter, `slots` how many answers it computes at once, None
    where it does not say.
    """

    dialect: Dialect
    version: str = ""
    models: Mapping[str, Ability] = {}
    listed: frozenset[str] = frozenset()
    slots: int | None = None


class Probe:
    """Asks one upstream about itself."""

    def __init__(self, client: Client, dialect: str | None, abilities: Sequence[str] | None) -> None:
        """`dialect` and `abilities` are those that are configured: they are not asked for."""
        self._client = client
        self._dialect = DIALECTS[dialect] if dialect is not None else None
        self._abilities = abilities

    async def ask(self, names: Sequence[str]) -> Facts:
        """Return what an upstream says. `names` are the models that matter, all that it has where there are none.

        Raises Broken and the fault for an answer that is none.
        """
        listed = await self._models()
        dialect, version = await self._recognise(listed)
        known = {one.id: one for one in listed}
        wanted = names or [one.id for one in listed if not _another(one)]
        models = {name: await self._told(dialect, known.get(name)) for name in wanted if name in known or names}
        slots = await self._slots(dialect)
        return Facts(dialect=dialect, version=version, models=models, listed=frozenset(known), slots=slots)

    async def try_out(self, facts: Facts, names: Sequence[str]) -> Facts:
        """Return the facts with what a few small requests show of these models. Raises Broken."""
        if self._abilities is not None or facts.dialect.name == "ollama":
            return facts
        models = dict(facts.models)
        for name in names:
            if name in models:
                models[name] = await self._tried(facts.dialect, name, models[name])
        return replace(facts, models=models)

    async def alive(self) -> None:
        """Raise Broken, or a fault, where the upstream does not answer."""
        await self._models()

    async def _models(self) -> list[wire.ListedModel]:
        status, body = await self._get(self._client.address.path + "/models")
        if status != 200:
            raise refused(status, body, 1.0, self._client.where)
        try:
            return wire.read_models(body).data or []
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Garbled("its list of models is none: is the url that of an OpenAI-compatible API?") from None

    async def _recognise(self, listed: Sequence[wire.ListedModel]) -> tuple[Dialect, str]:
        root = self._client.address.root
        named = (_OWNERS.get(one.owned_by or "") for one in listed)
        dialect = self._dialect or DIALECTS.get(next((name for name in named if name), ""))
        if dialect is None or dialect.name == "vllm":
            version = (await self._object(f"{root}/version")).get("version")
            if isinstance(version, str):
                return _vllm(dialect or DIALECTS["vllm"], version), version
        if dialect is None or dialect.name == "llama-server":
            build = (await self._object(f"{root}/props")).get("build_info")
            if isinstance(build, str):
                return DIALECTS["llama-server"], build
        if dialect is None or dialect.name == "ollama":
            version = (await self._object(f"{root}/api/version")).get("version")
            if isinstance(version, str):
                return DIALECTS["ollama"], version
        return dialect or PLAIN, ""

    async def _told(self, dialect: Dialect, listed: wire.ListedModel | None) -> Ability:
        """What an upstream says of a model."""
        told = Ability(schema=dialect.schema is True, logprobs=dialect.name in ("vllm", "sglang", "llama-server"))
        if listed is not None:
            told = replace(told, context=listed.max_model_len)
        if listed is not None and listed.freehold is not None:
            context, vision = listed.freehold.get("context_length"), listed.freehold.get("vision")
            told = replace(told, context=_number(context), vision=vision == "native")
        if dialect.name == "llama-server":
            told = await self._props(told, listed)
        if dialect.name == "ollama" and listed is not None:
            told = await self._shown(told, listed.id)
        if self._abilities is not None:
            able = self._abilities
            told = replace(told, schema="schema" in able, logprobs="logprobs" in able, thinking="reasoning" in able)
        return told

    async def _slots(self, dialect: Dialect) -> int | None:
        """How many answers an upstream says it computes at once; in SGLang, each of its ranks says it for itself.

        SGLang asks its scheduler for that, which may have too much to do to answer in time: then nobody knows.
        """
        root = self._client.address.root
        if dialect.name == "llama-server":
            return _number((await self._object(f"{root}/props")).get("total_slots"))
        if dialect.name != "sglang":
            return None
        try:
            info = await self._object(f"{root}/server_info") or await self._object(f"{root}/get_server_info")
        except Silent:
            return None
        ranks = info.get("internal_states")
        told = [one.get(_PER_RANK) for one in ranks if isinstance(one, dict)] if isinstance(ranks, list) else []
        return sum(_number(one) or 0 for one in told) or None

    async def _props(self, told: Ability, listed: wire.ListedModel | None) -> Ability:
        props = await self._object(f"{self._client.address.root}/props")
        defaults, modalities = props.get("default_generation_settings"), props.get("modalities")
        context = _number(defaults.get("n_ctx")) if isinstance(defaults, dict) else None
        if context is None and listed is not None and listed.meta is not None:
            context = _number(listed.meta.get("n_ctx_train"))
        template = str(props.get("chat_template") or "")
        return replace(
            told,
            context=context,
            vision=isinstance(modalities, dict) and modalities.get("vision") is True,
            thinking=any(mark in template for mark in _THINKING_MARKS),
        )

    async def _shown(self, told: Ability, name: str) -> Ability:
        body = json.encode({"model": name})
        shown = await self._object(f"{self._client.address.root}/api/show", body)
        able, about = shown.get("capabilities"), shown.get("model_info")
        able, about = able if isinstance(able, list) else [], about if isinstance(about, dict) else {}
        context = next((_number(value) for key, value in about.items() if key.endswith(".context_length")), None)
        return replace(told, context=context, vision="vision" in able, thinking="thinking" in able)

    async def _tried(self, dialect: Dialect, name: str, told: Ability) -> Ability:
        question = "What is the capital of France? Answer with one word."
        body: dict[str, Any] = {"model": name, "messages": [{"role": "user", "content": question}], dialect.limit: 32}
        if not told.logprobs:
            told = replace(told, logprobs=_likely(await self._answer(body | {"logprobs": True, "top_logprobs": 1})))
        if not told.thinking and dialect.name != "llama-server":
            told = replace(told, thinking=_thought(await self._answer(body)))
        if dialect.schema is None:
            schema = {"name": "trial", "schema": _TRIAL, "strict": True}
            held = await self._answer(body | {"response_format": {"type": "json_schema", "json_schema": schema}})
            told = replace(told, schema=_kept(held))
        return told

    async def _answer(self, body: dict[str, Any]) -> wire.Chunk | None:
        path = self._client.address.path + "/chat/completions"
        status, answer = await self._ask("POST", path, json.encode(body), TRYING)
        if status != 200:
            return None
        try:
            return wire.read_chunk(answer)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    async def _object(self, path: str, body: bytes = b"") -> dict[str, Any]:
        """What stands under a path; empty where nothing does."""
        status, answer = await (self._ask("POST", path, body) if body else self._get(path))
        try:
            found = json.decode(answer) if status == 200 else None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    async def _get(self, path: str) -> tuple[int, bytes]:
        return await self._ask("GET", path, b"")

    async def _ask(self, method: str, path: str, body: bytes, patience: Patience | None = None) -> tuple[int, bytes]:
        return await whole(self._client, method, path, body, patience or ASKING)


async def whole(client: Client, method: str, path: str, body: bytes, patience: Patience | None) -> tuple[int, bytes]:
    """Ask an upstream for something short; return its status and all that it says. Raises Broken."""
    connection = await client.ask(method, path, body, patience)
    try:
        answer = await connection.read_all(_MOST)
    except BaseException:
        connection.close()
        raise
    if len(answer) >= _MOST:
        connection.close()
        raise Garbled("its answer has no end")
    connection.release()
    return connection.status, answer


def _vllm(dialect: Dialect, version: str) -> Dialect:
    """Its older versions want grammars under other names."""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    return replace(dialect, grammar="guided") if numbers and numbers < _STRUCTURED_SINCE else dialect


def _another(listed: wire.ListedModel) -> bool:
    """Whether it is but another name of a model, or no chat model."""
    about = listed.freehold or {}
    return about.get("alias") is True or "dimensions" in about


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _said(chunk: wire.Chunk | None) -> wire.Piece | None:
    choice = chunk.choices[0] if chunk is not None and chunk.choices else None
    return None if choice is None else choice.message


def _likely(chunk: wire.Chunk | None) -> bool:
    choice = chunk.choices[0] if chunk is not None and chunk.choices else None
    return choice is not None and choice.logprobs is not None and bool(choice.logprobs.content)


def _thought(chunk: wire.Chunk | None) -> bool:
    said = _said(chunk)
    details = chunk.usage.completion_tokens_details if chunk is not None and chunk.usage is not None else None
    counted = details is not None and bool(details.reasoning_tokens)
    told = said is not None and bool(said.reasoning_content or said.reasoning)
    return counted or told or (said is not None and (said.content or "").lstrip().startswith("<think>"))


def _kept(chunk: wire.Chunk | None) -> bool:
    said = _said(chunk)
    try:
        return said is not None and json.decode(said.content or "") == {"answer": "freehold"}
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
