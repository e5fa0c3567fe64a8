"""All benches of speed, one after the other; writes RESULTS.md beside them and the plots of the docs.

usage: python -m benches [--only null_upstream,caching] [--peers litellm,ogx,agentic-api] [--cache FOLDER]
                         [--embedded="--server PATH-OF-LLAMA-SERVER --flags=--no-repack"]

It takes the better part of an hour on two cores, and wants a machine that does nothing else. What is not run again
keeps the section that it has.
"""

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from benches.figures import NOTE, Figure, noted
from benches.plot import bars

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
PLOTS = HERE.parent / "docs" / "explanation" / "plots"
_HEAD = "# Results\n\nWritten by `python -m benches`: what was measured, when, and on which machine.\n"


def commands(options: argparse.Namespace) -> Mapping[str, tuple[str, ...]]:
    """The benches by name, and their arguments."""
    return {
        "null_upstream": ("--peers", options.peers, "--cache", str(options.cache)),
        "caching": (),
        "embedded": ("smollm2-135m", *options.embedded.split()),
    }


def machine() -> str:
    """What they ran on, in a line."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    return f"{os.cpu_count()} cores ({model}), {platform.system()}, Python {platform.python_version()}"


def run(name: str, arguments: tuple[str, ...]) -> tuple[str, list[Figure]]:
    """Run a bench; return what it printed and the figures that it noted. Raises SystemExit where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        notes = Path(folder) / "notes"
        command = (sys.executable, "-m", f"benches.{name}", *arguments)
        environment = {**os.environ, NOTE: str(notes)}
        done = subprocess.run(command, cwd=HERE.parent, env=environment, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"benches.{name} ended with {done.returncode}")
        return done.stdout.strip(), noted(notes)


def section(name: str, arguments: tuple[str, ...], printed: str) -> str:
    """A bench's part of RESULTS.md. Paths of this machine do not belong there."""
    shown = " ".join(one for one in arguments if not one.startswith(("/", "--cache", "--server")))
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    command = f"python -m benches.{name} {shown}".strip()
    told = printed if printed.startswith("|") or "\n|" in printed else f"```\n{printed}\n```"
    return f"## {name}\n\n`{command}`, {when}, {machine()}\n\n{told}\n"


def sections(text: str) -> Iterator[tuple[str, str]]:
    """The parts of RESULTS.md as it is."""
    for part in re.split(r"(?m)^(?=## )", text)[1:]:
        yield part.split("\n", 1)[0].removeprefix("## "), part.rstrip() + "\n"


def plot(figures: list[Figure]) -> None:
    """Draw each series of more than one figure; ratios, which have no unit, are told in the table."""
    PLOTS.mkdir(exist_ok=True)
    for series, found in groupby(figures, key=lambda one: one.series):
        several = list(found)
        if len(several) > 1 and several[0].unit:
            file = re.sub(r"[^a-z0-9]+", "-", series.lower()).strip("-")
            (PLOTS / f"{file}.svg").write_text(bars(series, several))


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    parser.add_argument("--peers", default="litellm,ogx,agentic-api")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "freehold-benches")
    parser.add_argument("--embedded", default="", help="what benches.embedded is given")
    options = parser.parse_args()
    known = commands(options)
    wanted = options.only.split(",") if options.only else list(known)
    there = dict(sections(RESULTS.read_text())) if RESULTS.exists() else {}
    for name in wanted:
        print(f"running benches.{name}", file=sys.stderr)
        printed, figures = run(name, known[name])
        there[name] = section(name, known[name], printed)
        plot(figures)
        order = [*known, *(one for one in there if one not in known)]
        RESULTS.write_text("\n".join([_HEAD, *(there[one] for one in order if one in there)]))


if __name__ == "__main__":
    main()
