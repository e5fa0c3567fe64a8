"""What is wrong with texts that cannot be embedded, in the real API's words."""

from freehold.core.errors import Invalid


def too_long(number: int, tokens: int, context: int) -> Invalid:
    """The fault of the input `number`, which does not fit the model."""
    return Invalid(
        f"This model's maximum context length is {context} tokens, however you requested {tokens} tokens in "
        f"'input[{number}]'. Please reduce your prompt.",
        "context_length_exceeded",
        f"input[{number}]",
    )
