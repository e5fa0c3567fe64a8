import os
import subprocess
import sys

import pytest

from freehold.engines.trial.machine import cores, processor, resident


def test_the_memory_of_a_process_is_told_in_bytes() -> None:
    assert 10_000_000 < resident(os.getpid()) < 100_000_000_000


def test_a_process_that_has_ended_has_no_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    with pytest.raises(OSError):
        resident(gone.pid)


def test_the_machine_has_a_name_that_counts_its_cores() -> None:
    assert processor().startswith(f"{cores()} core") and " of " in processor()
