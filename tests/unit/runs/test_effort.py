from itertools import pairwise
from typing import get_args

from freehold.core.prompt import Effort
from freehold.runs.effort import BUDGETS


def test_every_effort_has_a_budget_and_more_effort_has_more() -> None:
    efforts = get_args(Effort)
    assert set(BUDGETS) == set(efforts)
    budgets = [BUDGETS[effort] for effort in efforts]
    assert budgets[0] == 0
    assert all(less < more for less, more in pairwise(budgets))
