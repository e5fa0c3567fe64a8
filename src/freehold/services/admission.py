"""From an ask to a prompt that its engine has admitted: every fault of the caller is found here."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from freehold.core.catalog import Catalog, Entry
from freehold.core.errors import Invalid, Unsupported
from freehold.core.items import InputText, Item, Message
from freehold.core.ports import Engine, Load, Served
from freehold.core.principal import Principal
from freehold.core.prompt import Ask, Choice, Effort, Prompt, Sampling
from freehold.core.surface import Surface
from freehold.runs.effort import BUDGETS
from freehold.runs.excerpts import searches
from freehold.runs.hosted import SEARCH_FIRST, Hosted
from freehold.runs.lower import Seen, lower, lower_raw
from freehold.runs.truncate import shorter
from freehold.services.compaction import shortened
from freehold.services.media import Media
from freehold.services.prompts import Prompts
from freehold.services.recall import Recall
from freehold.services.search import LONGEST_QUERY
from freehold.services.toolbox import NoTools, Toolbox

_TOO_LONG = "context_length_exceeded"
_FULLEST = 0.75  # of the context: the answer needs room, too
_SMALL_READS = 4  # excerpts of a search, where the request does not say: more would confuse it, and take a minute
_USUAL_CALLS = 4
_NO_TOOLS = NoTools()


class Admitted(Struct, frozen=True):
    """An ask that can be answered. `effort` is that with which the model thinks, None where it does not.

    `items` is the whole conversation; `compact` says that it has grown so long that it is to be compacted first;
    `seen` is what became of its images and files. There are several `prompts` where there are several raw texts.
    """

    ask: Ask
    items: tuple[Item, ...]
    entry: Entry
    engine: Engine
    effort: Effort | None
    prompts: tuple[Prompt, ...] = ()
    compact: bool = False
    seen: Seen = {}

    @property
    def prompt(self) -> Prompt:
        """The first of the prompts."""
        return self.prompts[0]


class Admission:
    """Finds the model behind a name and makes the prompt that it will read."""

    def __init__(
        self,
        catalog: Catalog,
        engines: Mapping[str, Engine],
        recall: Recall,
        prompts: Prompts,
        media: Media,
        toolbox: Toolbox | NoTools = _NO_TOOLS,
    ) -> None:
        self._catalog = catalog
        self._engines = engines
        self._recall = recall
        self._prompts = prompts
        self._media = media
        self._toolbox = toolbox

    async def admit(self, who: Principal, surface: Surface[Any], ask: Ask) -> Admitted:
        """Check everything that can be checked before the first byte.

        Raises Invalid, Unsupported or NotFound for the caller's faults, EngineBusy when the engine's queue is full and
        EngineFailed when it is down.
        """
        ask = replace(ask, caching=replace(ask.caching, owner=who.project))
        if ask.template is not None:
            ask = await self._prompts.fill(who, ask, ask.template)
        entry = self._find(surface, ask)
        effort = _effort(entry, surface, ask)
        _check(entry, surface, ask)
        await self._toolbox.check(who, ask)
        engine = self._engines[entry.engine]
        ask = await self._recall.follow(who, ask)
        items = await self._recall.items(who, ask)
        try:
            seen = await self._media.see(who, entry, items, ask.places)
            return await self._admitted(Admitted(ask, items, entry, engine, effort, seen=seen))
        except Invalid as fault:
            fault.param = surface.parameter(fault.param or "input")
            raise
        except Unsupported as fault:
            if fault.param == "counted":
                fault.param = "truncation" if ask.truncate else "context_management" if ask.compact_at else "model"
            raise

    def load(self, model: str | None) -> Load | None:
        """How full the engine behind a model's name is, None being the default's; None when there is none."""
        entry = self._catalog.find(model or self._catalog.default)
        return None if entry is None else self._engines[entry.engine].load

    async def prompt(
        self, admitted: Admitted, items: Sequence[Item], choice: Choice | None = None, spent: int = 0
    ) -> Prompt:
        """Return the admitted prompt of the same ask over other items. Raises what the engine raises.

        `choice` says what may be called in place of what the ask says, `spent` how many tokens of its limit are used
        up. Of what was found in files, the weakest is left out where there is not room for all.
        """
        ask, served = admitted.ask, admitted.entry.served
        choice, sampling = choice or _first_choice(admitted, items), _left(ask.sampling, spent)
        if choice is not ask.choice or sampling is not ask.sampling:
            ask = replace(ask, choice=choice, sampling=sampling)
        budget, cite = BUDGETS[admitted.effort or "none"], not _small(served)
        most = max((len(one.results or ()) for one in searches(items)), default=0)
        if ask.search is not None and ask.search.usual and _small(served):
            most = min(most, _SMALL_READS)
        while most > 1:
            prompt = lower(ask, items, served.name, admitted.seen, budget, most, cite)
            try:
                fits = await admitted.engine.admit(prompt)
            except Invalid as fault:
                if fault.code != _TOO_LONG:
                    raise
            else:
                if len(fits.tokens) <= served.context * _FULLEST:
                    return fits
            most //= 2
        prompt = lower(ask, items, served.name, admitted.seen, budget, most, cite)
        return await _fitting(admitted.engine, prompt, ask.truncate)

    def hosted(self, who: Principal, admitted: Admitted, items: Sequence[Item]) -> Hosted | None:
        """Return what a run over the items may do by itself; None where that is nothing."""
        ask = admitted.ask
        tools = self._toolbox.tools(who, ask)
        if ask.search is None or not tools:
            return None
        small = _small(admitted.entry.served)
        allowed = ask.choice.names or tuple(one.name for one in ask.functions)
        others = tuple(name for name in allowed if name not in tools)

        async def again(said: Sequence[Item], choice: Choice, spent: int) -> Prompt:
            return await self.prompt(admitted, (*items, *said), choice, spent)

        return Hosted(
            tools=tools,
            most=ask.search.calls or (1 if small else _USUAL_CALLS),
            items=items,
            choice=ask.choice,
            last=Choice("auto", others) if others and ask.choice.mode != "none" else Choice("none"),
            again=again,
            cite=ask.format is None,
            trust=not small,
            first=_question(items) if _first_choice(admitted, items) == SEARCH_FIRST else "",
            most_tokens=ask.sampling.max_tokens,
        )

    async def _admitted(self, begun: Admitted) -> Admitted:
        """Fill in the prompts, and whether the conversation is to be compacted before it is answered."""
        ask, limit = begun.ask, begun.ask.compact_at
        if ask.raw:
            lowered = [lower_raw(ask, raw, begun.entry.served.name) for raw in ask.raw]
            return replace(begun, prompts=tuple([await begun.engine.admit(prompt) for prompt in lowered]))
        try:
            prompt = await self.prompt(begun, begun.items)
        except Invalid as fault:
            if limit is None or fault.code != _TOO_LONG:
                raise
            return replace(begun, prompts=(await self.prompt(begun, shortened(begun.items)),), compact=True)
        return replace(begun, prompts=(prompt,), compact=limit is not None and len(prompt.tokens) > limit)

    def _find(self, surface: Surface[Any], ask: Ask) -> Entry:
        name = ask.model or self._catalog.default
        entry = self._catalog.find(name)
        if entry is None:
            raise surface.unknown_model(name, self._catalog.why_missing(name))
        return entry


def _first_choice(admitted: Admitted, items: Sequence[Item]) -> Choice:
    """What may be called first. A model that has nothing to call but a search begins with one.

    Small models seldom choose to. One that was trained to think does.
    """
    ask, served = admitted.ask, admitted.entry.served
    only = ask.search is not None and len(ask.functions) == 1 and ask.choice.mode == "auto"
    if only and served.constrained and _small(served) and not searches(items):
        return SEARCH_FIRST
    return ask.choice


def _question(items: Sequence[Item]) -> str:
    """The text of the one thing that the user has said, to search for; empty where more was said, or not in text."""
    said = [item for item in items if isinstance(item, Message) and item.role in ("user", "assistant")]
    if len(said) != 1 or not all(isinstance(part, InputText) for part in said[0].content):
        return ""
    text = "\n".join(part.text for part in said[0].content if isinstance(part, InputText)).strip()
    return text if len(text) <= LONGEST_QUERY else ""


def _small(served: Served) -> bool:
    """Whether a model is taken for a small one: one of our own engines runs it, and it was not trained to think."""
    return served.constrained and served.thinking == "prompted"


def _left(sampling: Sampling, spent: int) -> Sampling:
    """The sampling with what is left of its limit."""
    if sampling.max_tokens is None or spent == 0:
        return sampling
    return replace(sampling, max_tokens=sampling.max_tokens - spent)


def _check(entry: Entry, surface: Surface[Any], ask: Ask) -> None:
    """Refuse what the model behind a name cannot do."""
    served = entry.served
    if ask.format is not None and not served.constrained:
        raise Unsupported(f"The model behind `{entry.name}` cannot be held to a format.", surface.format)
    if ask.choice.mode == "required" and not served.constrained:
        raise Unsupported(f"The model behind `{entry.name}` cannot be made to call a function.", "tool_choice")
    if any(one.free in ("lark", "regex") for one in ask.functions) and not served.constrained:
        raise Unsupported(f"The model behind `{entry.name}` cannot be held to a grammar.", "tools")
    if ask.caching.lasting and not served.lasting:
        raise Unsupported(
            f'The model behind `{entry.name}` does not keep prompts for 24 hours: use "in_memory".',
            "prompt_cache_retention",
            "unsupported_value",
        )
    if ask.sampling.logprobs is not None and not served.logprobs:
        raise Unsupported(f"The model behind `{entry.name}` does not tell log-probabilities.", surface.logprobs)


def _effort(entry: Entry, surface: Surface[Any], ask: Ask) -> Effort | None:
    """The effort with which the model thinks; None for a model that does not unless it is asked, and was not.

    Asking for a summary is asking for a thought.
    """
    wanted, known, served = ask.thoughts.effort, entry.known, entry.served
    usual: Effort = "medium" if known is None or "medium" in known.efforts or not known.efforts else known.efforts[0]
    if wanted is None and ask.thoughts.summary is not None:
        wanted = usual
    if wanted in (None, "none"):
        return wanted or (usual if served.thinking == "trained" else None)
    if served.thinking == "none" or (known is not None and not known.efforts):
        raise Unsupported(
            f"Unsupported parameter: '{surface.effort}' is not supported with this model.", surface.effort
        )
    if known is not None and wanted not in known.efforts:
        listed = ", ".join(f"'{one}'" for one in known.efforts)
        raise Unsupported(
            f"Unsupported value: '{wanted}' is not supported with the '{entry.name}' model. "
            f"Supported values are: {listed}.",
            surface.effort,
            "unsupported_value",
        )
    return wanted


async def _fitting(engine: Engine, prompt: Prompt, truncate: bool) -> Prompt:
    """Admit the prompt or, where that is allowed, the longest part of it that fits the model's context."""
    try:
        return await engine.admit(prompt)
    except Invalid as fault:
        parts = shorter(prompt) if truncate and fault.code == _TOO_LONG else []
        if not parts:
            raise
    low, high = 0, len(parts) - 1
    while True:  # parts[high] is the shortest that may fit; each step halves what is left to try
        middle = (low + high) // 2
        try:
            fits = await engine.admit(parts[middle])
        except Invalid as fault:
            if fault.code != _TOO_LONG or middle == len(parts) - 1:
                raise
            low = middle + 1
        else:
            if middle == low:
                return fits
            high = middle
