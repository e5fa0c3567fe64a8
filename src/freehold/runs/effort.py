"""How many tokens a model may think for each reasoning effort."""

from collections.abc import Mapping

from freehold.core.prompt import Effort

BUDGETS: Mapping[Effort, int] = {
    "none": 0,
    "minimal": 32,
    "low": 128,
    "medium": 512,
    "high": 1_024,
    "xhigh": 2_048,
    "max": 4_096,
}
"""In tokens. The engine closes a thought that reaches its budget, so these hold exactly."""
