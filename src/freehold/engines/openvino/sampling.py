"""How a request's sampling settings become OpenVINO's."""

import secrets
from typing import Any

from freehold.engines.worker.messages import Generate

_LEAST_TOP_P = 1e-6  # it takes no 0
_LEAST_TEMPERATURE = 1e-3  # below, nothing is left to chance


def sampling(request: Generate, temperature: float, top_p: float) -> dict[str, Any]:
    """Return the sampling part of a generation's settings; the request obeys `temperature` and `top_p` without its own.

    OpenVINO draws the same numbers for every request unless it is told a seed.
    """
    temperature = temperature if request.temperature is None else request.temperature
    chance = temperature >= _LEAST_TEMPERATURE
    settings: dict[str, Any] = {
        "do_sample": chance,
        "presence_penalty": request.presence_penalty,
        "frequency_penalty": request.frequency_penalty,
        "repetition_penalty": 1.0,
    }
    if chance:
        top_p = top_p if request.top_p is None else request.top_p
        settings["temperature"] = temperature
        settings["top_p"] = max(top_p, _LEAST_TOP_P)
        settings["rng_seed"] = secrets.randbits(32) if request.seed is None else request.seed % (1 << 63)
    return settings
