"""Events to chat.completion objects and chunks."""

from collections.abc import Iterable

from freehold.core.deltas import Usage
from freehold.core.events import Chosen, Closed, Ended, Event, Grew, Opened, Step
from freehold.core.surface import Projection, Stamp
from freehold.surfaces.chat import objects
from freehold.surfaces.chat.choice import ChoiceFold
from freehold.surfaces.chat.objects import Chunk, ChunkChoice
from freehold.surfaces.chat.request import ChatBody
from freehold.surfaces.common import padding, tier_of
from freehold.surfaces.errors import Envelope, envelope


def project(body: ChatBody, stamp: Stamp) -> Projection:
    """Begin the projection of one request's runs."""
    return ChatProjection(body, stamp)


class ChatProjection:
    """The fold of one run, or of several side by side, into a chat.completion; see `core.surface.Projection`."""

    def __init__(self, body: ChatBody, stamp: Stamp) -> None:
        options = body.stream_options
        self._model = body.model
        self._stamp = stamp
        self._tier = tier_of(body.service_tier)
        self._wants_usage = options is not None and options.include_usage is True
        self._pad = None if options is not None and options.include_obfuscation is False else stamp.pad
        legacy, logprobs = body.functions is not None, body.logprobs is True
        self._choices = [ChoiceFold(index, legacy, logprobs) for index in range(body.n or 1)]
        self._usage = Usage()

    def start(self) -> Iterable[Chunk]:
        """The chunks that name the role."""
        return [self._chunk(choice.begin(), 0) for choice in self._choices]

    def push(self, event: Event) -> Iterable[Chunk | Envelope]:
        """Fold one event and return its chunks."""
        if isinstance(event, Chosen):
            return self._fold(self._choices[event.choice], event.event)
        if isinstance(event, Ended):
            return self._end(event)
        return self._fold(self._choices[0], event)

    def result(self) -> objects.ChatCompletion:
        """The completion as it stands."""
        return objects.ChatCompletion(
            id=self._stamp.id,
            created=self._stamp.created,
            model=self._model,
            choices=tuple(choice.result() for choice in self._choices),
            usage=_usage(self._usage),
            system_fingerprint=self._stamp.served.fingerprint,
            service_tier=self._tier,
        )

    def kept(self) -> objects.ChatCompletion:
        """The same: all of it is shown."""
        return self.result()

    def _fold(self, choice: ChoiceFold, event: Step) -> Iterable[Chunk]:
        if isinstance(event, Grew):
            grown = choice.grow(event)
            return () if grown is None else (self._chunk(grown, len(event.delta)),)
        if isinstance(event, Opened):
            opened = choice.open(event)
            return () if opened is None else (self._chunk(opened, 0),)
        if isinstance(event, Closed):
            choice.close(event)
            return ()
        return (self._chunk(choice.end(event), 0),) if isinstance(event, Ended) else ()

    def _end(self, event: Ended) -> Iterable[Chunk | Envelope]:
        """The end of everything; where there are several choices, each has told its own."""
        self._usage = event.usage
        if event.error is not None:
            return (envelope(event.error),)
        frames = [self._chunk(self._choices[0].end(event), 0)] if len(self._choices) == 1 else []
        if self._wants_usage:
            frames.append(self._chunk(None, 0, _usage(event.usage)))
        return frames

    def _chunk(self, choice: ChunkChoice | None, length: int, usage: objects.ChatUsage | None = None) -> Chunk:
        stamp = self._stamp
        chunk = (
            stamp.id,
            "chat.completion.chunk",
            stamp.created,
            self._model,
            self._tier,
            stamp.served.fingerprint,
            () if choice is None else (choice,),
            usage,
        )
        return Chunk(*chunk) if self._pad is None else Chunk(*chunk, padding(self._pad, length))


def _usage(usage: Usage) -> objects.ChatUsage:
    return objects.ChatUsage(
        prompt_tokens=usage.input,
        completion_tokens=usage.output,
        total_tokens=usage.input + usage.output,
        prompt_tokens_details=objects.PromptDetails(usage.cached, 0, usage.cache_write),
        completion_tokens_details=objects.CompletionDetails(usage.reasoning, 0, usage.accepted, usage.rejected),
    )
