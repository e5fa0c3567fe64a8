"""What a bench found: figures, and the bounds that they are held to; printed, and noted where a run of all asks."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

NOTE = "FREEHOLD_BENCH_NOTES"
"""The variable that names the file to which figures are appended, a line of JSON each."""


@dataclass(frozen=True)
class Figure:
    """One figure of a series, such as the same cost of several servers. `most` and `least` are its bounds."""

    series: str
    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def bound(self) -> str:
        """The bound in words; empty where there is none."""
        bounds = (("at most", self.most), ("at least", self.least))
        return ", ".join(f"{word} {number:g}" for word, number in bounds if number is not None)

    @property
    def met(self) -> bool:
        """Whether it keeps to its bounds."""
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)


def show(figures: Sequence[Figure]) -> None:
    """Print the figures that have bounds, and note all of them."""
    if bounded := [one for one in figures if one.bound]:
        print("\n".join(table(bounded)))
    if path := os.environ.get(NOTE):
        with Path(path).open("a") as notes:
            notes.writelines(json.dumps(asdict(one)) + "\n" for one in figures)


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """The figures as a Markdown table."""
    yield "\n| held to | measured | bound | |"
    yield "|---|---|---|---|"
    for one in figures:
        value = f"{one.value:.3g} {one.unit}".strip()
        yield f"| {one.series}: {one.name} | {value} | {one.bound} | {'met' if one.met else '**missed**'} |"


def noted(path: Path) -> list[Figure]:
    """The figures that benches have noted in a file."""
    return [Figure(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []
