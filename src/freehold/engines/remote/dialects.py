"""What differs between the servers that speak the OpenAI API."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Grammar = Literal["none", "structured_outputs", "guided", "sglang"]
Continuing = Literal["none", "continue_final_message", "prefill"]
Counting = Literal["none", "vllm", "llama-server", "freehold"]


class Dialect(Struct, frozen=True, kw_only=True):
    """How a kind of server wants to be asked.

    `schema` and `forced` say whether it holds an answer to a schema and can be made to call a function; None is for
    what has to be tried out. `grammar` is how it is given one,
    `going_on` how it continues an answer, `counting` how it counts a prompt. With `thoughts`, it reads those of
    earlier turns; with `custom`, it has custom tools of its own; with `family`, it takes `prompt_cache_key`.
    `salted` keeps the cached prompts of projects apart, and with `cache_prompt` it can be told to reuse none;
    `template` says that its chat template takes arguments. One that is `tagged` may leave thoughts in the text.
    `limit` is its name for the most tokens of an answer, `slots` how many answers it is given at once where it does not
    say how many it computes.
    """

    name: str
    schema: bool | None = None
    forced: bool = True
    grammar: Grammar = "none"
    going_on: Continuing = "none"
    counting: Counting = "none"
    biases: bool = True
    suffix: bool = False
    tokens: bool = False
    thoughts: bool = False
    custom: bool = False
    family: bool = False
    predicts: bool = False
    salted: bool = False
    cache_prompt: bool = False
    template: bool = False
    tagged: bool = True
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    slots: int = 64


PLAIN = Dialect(name="plain")
"""A server of which nothing is known but that it speaks the API."""

DIALECTS: Mapping[str, Dialect] = {
    one.name: one
    for one in (
        PLAIN,
        Dialect(
            name="vllm",
            schema=True,
            grammar="structured_outputs",
            going_on="continue_final_message",
            counting="vllm",
            tokens=True,
            thoughts=True,
            salted=True,
            template=True,
            slots=256,
        ),
        Dialect(
            name="sglang",
            schema=True,
            grammar="sglang",
            going_on="continue_final_message",
            tokens=True,
            thoughts=True,
            salted=True,
            template=True,
            slots=256,
        ),
        Dialect(
            name="llama-server",
            schema=True,
            going_on="prefill",
            counting="llama-server",
            tokens=True,
            thoughts=True,
            cache_prompt=True,
            template=True,
            slots=4,
        ),
        Dialect(name="ollama", schema=True, forced=False, biases=False, suffix=True, slots=4),
        Dialect(
            name="freehold",
            counting="freehold",
            suffix=True,
            custom=True,
            family=True,
            predicts=True,
            tagged=False,
            limit="max_completion_tokens",
        ),
        Dialect(
            name="openai",
            custom=True,
            family=True,
            predicts=True,
            tagged=False,
            limit="max_completion_tokens",
            slots=256,
        ),
    )
}
