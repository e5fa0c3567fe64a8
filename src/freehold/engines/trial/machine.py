"""What the machine has, as far as it decides how fast a model can answer."""

import os
import platform
import subprocess
import sys
from pathlib import Path


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processor() -> str:
    """The processor and the number of cores, in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = next(named, "") or platform.processor() or platform.machine()
    count = cores()
    return f"{count} core{'s' if count > 1 else ''} of {name}"


def resident(pid: int) -> int:
    """Return the bytes of memory that a process has. Raises OSError where it has ended."""
    if sys.platform == "linux":
        status = Path(f"/proc/{pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) * 1024
    told = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    if not told.stdout.strip():
        raise ProcessLookupError(f"process {pid} has ended")
    return int(told.stdout) * 1024
