"""The token counts of an answer, whatever dialect they are told in."""

from freehold.core.deltas import Usage
from freehold.engines.remote import wire


class Counts:
    """Collects what the chunks of an answer tell of its tokens; the last word counts."""

    def __init__(self) -> None:
        self._usage: wire.Usage | None = None
        self._timings: wire.Timings | None = None
        self._input = self._output = 0

    @property
    def known(self) -> bool:
        """Whether anything was told."""
        return self._usage is not None or self._timings is not None or self._output > 0

    def take(self, chunk: wire.Chunk) -> None:
        """Look for counts in a chunk."""
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.timings is not None:
            self._timings = chunk.timings
        if chunk.prompt_eval_count is not None:
            self._input = chunk.prompt_eval_count
        if chunk.eval_count is not None:
            self._output = chunk.eval_count

    def usage(self, thoughts: int) -> Usage:
        """Return the counts. `thoughts` is how many pieces of thought there were, for where they are not counted."""
        told, timings = self._usage or wire.Usage(), self._timings or wire.Timings()
        prompt = told.prompt_tokens_details or wire.PromptDetails()
        answer = told.completion_tokens_details or wire.OutputDetails()
        read = _first(told.prompt_tokens, _sum(timings.prompt_n, timings.cache_n), self._input)
        output = _first(told.completion_tokens, timings.predicted_n, self._output)
        cached = _known(prompt.cached_tokens, told.prompt_cache_hit_tokens, timings.cache_n)
        return Usage(
            input=read,
            cached=min(cached or 0, read),
            output=output,
            reasoning=min(_first(answer.reasoning_tokens, told.reasoning_tokens, thoughts), output),
            written=prompt.cache_write_tokens if cached is not None else 0,
            accepted=answer.accepted_prediction_tokens or 0,
            rejected=answer.rejected_prediction_tokens or 0,
        )


def _known(*counts: int | None) -> int | None:
    for count in counts:  # not a generator: this is asked four times an answer
        if count is not None:
            return count
    return None


def _first(*counts: int | None) -> int:
    return _known(*counts) or 0


def _sum(read: int | None, cached: int | None) -> int | None:
    return None if read is None else read + (cached or 0)
