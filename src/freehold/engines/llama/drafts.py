"""Which of the tokens that llama.cpp guessed ahead were those of a request's prediction."""

from collections import deque

from freehold.engines.llama.sight import Timings

_BEFORE = 4


class Drafts:
    """Follows an answer token by token, and counts the guesses that were made where it is in the prediction.

    llama.cpp tells how many tokens it has guessed and how many it has kept so far, not which. The kept ones are the
    next that it writes. They are the prediction's where it has them behind the same tokens as the answer.
    """

    def __init__(self, predicted: str) -> None:
        self.accepted = 0
        self.rejected = 0
        self._predicted = predicted
        self._last = Timings()
        self._recent = deque[str](maxlen=_BEFORE)
        self._text = ""
        self._due = 0
        self._kept = 0
        self._missed = 0

    def take(self, text: str, timings: Timings) -> None:
        """Take the next piece of the answer, and what was measured when it was written."""
        if not self._predicted:
            return
        last, self._last = self._last, timings
        if timings.draft_n > last.draft_n:
            self._close()
            self._text = "".join(self._recent)
            self._due = self._kept = timings.draft_n_accepted - last.draft_n_accepted
            self._missed = timings.draft_n - last.draft_n - self._kept
        if self._due:
            self._text += text
            self._due = max(0, self._due - (timings.predicted_n - last.predicted_n))
        if not self._due:
            self._close()
        if text:
            self._recent.append(text)

    def end(self) -> None:
        """The answer is over, or llama.cpp has to begin anew behind it: what was guessed but not told is of no use."""
        self._kept, self._missed = self._kept - self._due, self._missed + self._due
        self._due = 0
        self._close()
        self._last = Timings()

    def _close(self) -> None:
        """Count the guess that was told last."""
        if self._text and self._text in self._predicted:
            self.accepted += self._kept
            self.rejected += self._missed
        self._kept = self._missed = 0
