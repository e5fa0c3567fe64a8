"""What `freehold bench` found, as a table and bars of plain text, and for programs."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from freehold.engines.trial.measure import Measured, gain, share

_BAR = 40
_COLUMN = 12
_TITLES = 34


class Findings(Struct, frozen=True, kw_only=True):
    """The measurements of a model: its file of `size` bytes, the machine, and the bytes a second that its memory reads.

    Of `engines`, the first is the usual one. `without` says why another was not measured.
    """

    model: str
    path: Path
    size: int
    machine: str
    bandwidth: float
    engines: tuple[Measured, ...]
    without: str = ""

    def told(self, kind: str | None) -> dict[str, Any]:
        """The findings for programs, with the kind of engine that is remembered."""
        return {
            "model": self.model,
            "bytes": self.size,
            "machine": self.machine,
            "bandwidth_bytes_per_second": round(self.bandwidth),
            "engines": [self._one(engine) for engine in self.engines],
            "gain": round(gain(*self.engines), 3) if len(self.engines) == 2 else None,
            "remembered": kind,
            "note": self.without or None,
        }

    def _one(self, engine: Measured) -> dict[str, Any]:
        return {
            "engine": engine.kind,
            "backend": engine.backend,
            "prompt_tokens": engine.prompt,
            "first_token_seconds": round(engine.first_token, 4),
            "tokens_per_second": {str(count): round(rate, 2) for count, rate in engine.rates.items()},
            "memory_bytes": engine.memory,
            "share_of_bandwidth": round(self.share(engine), 4),
        }

    def share(self, engine: Measured) -> float:
        """The share of what the memory allows that one stream reaches."""
        return share(engine.rates[min(engine.rates)], self.size, self.bandwidth)


class _Row(Struct, frozen=True):
    """A line of the table. `plotted` ones have bars; of those that are no speeds, less is better."""

    title: str
    values: tuple[float | None, ...]
    form: Callable[[float], str]
    speed: bool
    plotted: bool = True


def lines(findings: Findings) -> Iterator[str]:
    """The findings for people: what was measured, the table, the bars."""
    yield f"{findings.model}, {findings.size / 1e6:,.0f} MB, on {findings.machine}"
    yield f"memory: {findings.bandwidth / 1e9:.1f} GB a second"
    yield ""
    rows = tuple(_rows(findings))
    yield from _table(findings, rows)
    for row in rows:
        if row.plotted:
            yield from _bars(findings, row)


def _rows(findings: Findings) -> Iterator[_Row]:
    engines = findings.engines
    title = f"first token of {engines[0].prompt} tokens, s"
    yield _Row(title, tuple(one.first_token for one in engines), "{:,.2f}".format, speed=False)
    for count in engines[0].rates:
        title = f"tokens a second, {count} stream{'s' if count > 1 else ''}"
        yield _Row(title, tuple(one.rates[count] for one in engines), "{:,.1f}".format, speed=True)
    memory = tuple(None if one.memory is None else one.memory / 1e6 for one in engines)
    yield _Row("memory of the engine's process, MB", memory, "{:,.0f}".format, speed=False)
    shares = tuple(findings.share(one) for one in engines)
    yield _Row("share of the memory's limit", shares, "{:.0%}".format, speed=True, plotted=False)


def _table(findings: Findings, rows: Sequence[_Row]) -> Iterator[str]:
    names = [engine.kind for engine in findings.engines]
    several = len(names) == 2
    head = f"{'':{_TITLES}}" + "".join(f"{name:>{_COLUMN}}" for name in names)
    yield (head + f"{'ratio':>{_COLUMN}}" if several else head).rstrip()
    for row in rows:
        told = "".join(f"{'-' if value is None else row.form(value):>{_COLUMN}}" for value in row.values)
        yield f"{row.title:{_TITLES}}{told}" + (f"{_ratio(row.values):>{_COLUMN}}" if several else "")


def _ratio(values: Sequence[float | None]) -> str:
    one, other = values
    return f"{other / one:.2f}" if one and other is not None else "-"


def _bars(findings: Findings, row: _Row) -> Iterator[str]:
    known = [value for value in row.values if value is not None]
    if not known:
        return
    yield ""
    yield f"{row.title} ({'longer' if row.speed else 'shorter'} is better)"
    width = max(len(engine.kind) for engine in findings.engines)
    for engine, value in zip(findings.engines, row.values, strict=True):
        if value is not None:
            bar = "█" * max(1, round(_BAR * value / max(known))) if value else ""
            yield f"  {engine.kind:{width}} {bar} {row.form(value)}"
