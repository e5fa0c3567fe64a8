"""How a request's sampling settings become llama.cpp's."""

from collections.abc import Mapping
from typing import Any

from freehold.engines.worker.messages import Generate

_TEMPERATURE, _TOP_P = 0.7, 0.9
_RANDOM_SEED = 0xFFFFFFFF


def defaults(header: Mapping[str, Any]) -> tuple[float, float]:
    """Return the temperature and top_p of a request that names none.

    They are what the model file recommends in its `header` (`general.sampling.*`), else 0.7 and 0.9: small models
    ramble at the 1.0 and 1.0 of OpenAI.
    """
    return (
        float(header.get("general.sampling.temp", _TEMPERATURE)),
        float(header.get("general.sampling.top_p", _TOP_P)),
    )


def sampling(request: Generate, header: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sampling part of a llama.cpp completion request.

    Each setting that the client gave is obeyed exactly. As soon as it gives temperature or top_p, the cuts that it
    cannot know of (top_k, min_p) are off; while it gives neither, they are the file's or llama.cpp's own.
    """
    temperature, top_p = defaults(header)
    settings: dict[str, Any] = {
        "temperature": temperature if request.temperature is None else request.temperature,
        "top_p": top_p if request.top_p is None else request.top_p,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "stop": request.stop,
    }
    if settings["temperature"] == 0:
        settings |= {"top_k": 1, "top_p": 1.0, "min_p": 0.0}  # the same token, without sorting the vocabulary first
    elif request.temperature is not None or request.top_p is not None:
        settings |= {"top_k": 0, "min_p": 0.0}
    if request.logit_bias:
        settings["logit_bias"] = request.logit_bias
    if request.logprobs is not None:
        settings["logprobs"] = max(1, request.logprobs)
    if request.grammar:
        settings["grammar"] = request.grammar
    if request.presence_penalty or request.frequency_penalty:
        settings["repeat_last_n"] = -1  # OpenAI's penalties look at the whole text, llama.cpp's at 64 tokens
    if request.seed is not None:
        settings["seed"] = request.seed % _RANDOM_SEED  # the one value that llama.cpp reads as "no seed"
    return settings
