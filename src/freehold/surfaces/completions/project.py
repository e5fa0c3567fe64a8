"""Events to text_completion objects and chunks."""

from collections.abc import Iterable

from msgspec import UNSET, UnsetType

from freehold.core.deltas import Usage
from freehold.core.events import Chosen, Closed, Ended, Event, Grew, Step
from freehold.core.surface import Projection, Stamp
from freehold.surfaces.common import padding
from freehold.surfaces.completions.choice import ChoiceFold
from freehold.surfaces.completions.objects import CompletionUsage, TextChoice, TextCompletion
from freehold.surfaces.completions.request import CompletionBody, wanted
from freehold.surfaces.errors import Envelope, envelope


def project(body: CompletionBody, stamp: Stamp) -> Projection:
    """Begin the projection of one request's runs."""
    return CompletionProjection(body, stamp)


class CompletionProjection:
    """The fold of the runs of all prompts into a text_completion; see `core.surface.Projection`.

    The runs of one prompt follow each other; of those that `best_of` adds, the best are given.
    """

    def __init__(self, body: CompletionBody, stamp: Stamp) -> None:
        options = body.stream_options
        self._model = body.model
        self._stamp = stamp
        self._wanted = wanted(body)
        self._candidates = body.best_of or self._wanted
        self._wants_usage = options is not None and options.include_usage is True
        self._pad = None if options is not None and options.include_obfuscation is False else stamp.pad
        prompts = [prompt for prompt in stamp.raw for _ in range(self._candidates)]
        self._choices = [
            ChoiceFold(index, prompt, body.echo is True, body.logprobs is not None)
            for index, prompt in enumerate(prompts)
        ]
        self._usage = Usage()

    def start(self) -> Iterable[TextCompletion]:
        """The chunks that repeat the prompts, where that was asked for."""
        return self._chunks(choice.begin() for choice in self._choices)

    def push(self, event: Event) -> Iterable[TextCompletion | Envelope]:
        """Fold one event and return its chunks."""
        if isinstance(event, Chosen):
            return self._fold(self._choices[event.choice], event.event)
        if isinstance(event, Ended):
            return self._end(event)
        return self._fold(self._choices[0], event)

    def result(self) -> TextCompletion:
        """The completion as it stands."""
        given: list[ChoiceFold] = []
        for first in range(0, len(self._choices), self._candidates):
            candidates = self._choices[first : first + self._candidates]
            if len(candidates) > self._wanted:
                candidates = sorted(candidates, key=ChoiceFold.score, reverse=True)[: self._wanted]
            given += candidates
        choices = tuple(choice.result(index) for index, choice in enumerate(given))
        return self._completion(choices, _usage(self._usage))

    def kept(self) -> TextCompletion:
        """The same: all of it is shown."""
        return self.result()

    def _fold(self, choice: ChoiceFold, event: Step) -> Iterable[TextCompletion]:
        if isinstance(event, Grew):
            return self._chunks([choice.grow(event)])
        if isinstance(event, Closed):
            choice.close(event)
        return self._chunks([choice.end(event)]) if isinstance(event, Ended) else ()

    def _end(self, event: Ended) -> Iterable[TextCompletion | Envelope]:
        """The end of everything; where there are several choices, each has told its own."""
        self._usage = event.usage
        if event.error is not None:
            return (envelope(event.error),)
        frames = self._chunks([self._choices[0].end(event)] if len(self._choices) == 1 else [])
        if self._wants_usage:
            frames.append(self._completion((), _usage(event.usage), 0))
        return frames

    def _chunks(self, pieces: Iterable[TextChoice | None]) -> list[TextCompletion]:
        usage = None if self._wants_usage else UNSET
        return [self._completion((piece,), usage, len(piece.text)) for piece in pieces if piece is not None]

    def _completion(
        self, choices: tuple[TextChoice, ...], usage: CompletionUsage | UnsetType | None, length: int | None = None
    ) -> TextCompletion:
        """`length` is that of a chunk's text, in characters."""
        return TextCompletion(
            id=self._stamp.id,
            created=self._stamp.created,
            model=self._model,
            system_fingerprint=self._stamp.served.fingerprint,
            choices=choices,
            usage=usage,
            obfuscation=UNSET if length is None or self._pad is None else padding(self._pad, length),
        )


def _usage(usage: Usage) -> CompletionUsage:
    return CompletionUsage(usage.input, usage.output, usage.input + usage.output)
