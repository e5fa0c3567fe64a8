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

HARMONY = Notation(
    "<|channel|>analysis<|message|>",
    "<|end|>",
    "<|end|><|start|>assistant<|channel|>final<|message|>",
    "<|channel|>final<|message|>",
)
"""The harmony format of gpt-oss."""


def trained(template: str) -> Notation | None:
    """The notation that a model was trained on, told by its chat template; None when it was trained on none."""
    if "<|channel|>" in template:
        return HARMONY
    return TAGS if "<think>" in template else None
