"""How models write down what they think before they answer: the marks around it, and who was trained to write them."""

from msgspec import Struct


class Notation(Struct, frozen=True):
    """The marks around a thought.

    The engine writes `opening` at the end of the prompt to have the model think, or `skipped` to have it not. The
    thought ends where the model writes `ending`, or at its budget; then the engine writes `closing`, and the answer
    follows.
    """

    opening: str
    ending: str
    closing: str
    skipped: str


TAGS = Notation("<think>\n", "</think>", "\n</think>\n\n", "<think>\n\n</think>\n\n")
"""DeepSeek R1, Qwen3 and most others, and every model that has to be told how."""

HURRIED = "\n\nMy time to think is over; I have to answer directly from what I have."
"""What ends a thought that reaches its budget: without it models go on thinking in the answer (budget forcing, as in
Muennighoff et al. 2025, "s1: Simple test-time scaling")."""

DOUBT = "\n\nWait. Let me go through that once more.\n"
"""What is written in place of the end of a thought that is far too short for its budget, in models that were not
trained to think (budget forcing, as in "s1"): they end most thoughts after a few sentences, whatever the budget."""

HARMONY = Notation(
    "<|channel|>analysis<|message|>",
    "<|end|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|channel|>final<|message|>",
)
"""The harmony format of gpt-oss."""


class Beginning:
    """The beginning of an answer, without the end of its thought.

    A model whose thought the engine closed may write the mark again, as the first thing of its answer. `dropped` says
    that it did.
    """

    def __init__(self, ending: str) -> None:
        """`ending` is the mark that does not belong there."""
        self.dropped = False
        self._ending = ending
        self._held = ""

    def feed(self, text: str) -> str | None:
        """Return the text so far, less the marks before it; None while it may still be a mark."""
        self._held += text
        rest = self._rest()
        return None if self._ending.startswith(rest.lstrip()) else rest

    def end(self) -> str:
        """Return what was held: the answer is over."""
        return self._rest()

    def _rest(self) -> str:
        rest = self._held
        while rest.lstrip().startswith(self._ending):
            self.dropped = True
            rest = rest.lstrip().removeprefix(self._ending).lstrip()
        return rest


def least(budget: int) -> int:
    """The tokens that a thought with this budget is to have, in models that were not trained to think."""
    return budget // 8


def trained(template: str) -> Notation | None:
    """The notation that a model was trained on, told by its chat template; None when it was trained on none."""
    if "<|channel|>" in template:
        return HARMONY
    return TAGS if "<think>" in template else None
