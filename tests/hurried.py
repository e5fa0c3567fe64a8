"""`python -m tests.hurried serve …`: freehold whose workers hurry, so that a dead one's jobs go on within a second."""

from functools import partial

from freehold.cli.main import main
from freehold.worker import loop

LEASE_SECONDS = 0.8

if __name__ == "__main__":
    loop.Pace = partial(loop.Pace, lease=LEASE_SECONDS, beat=0.2, poll=0.05)  # type: ignore[misc,assignment]
    main()
