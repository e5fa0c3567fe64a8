from pathlib import Path

from msgspec.structs import replace

from freehold.cli.findings import Findings, lines
from freehold.engines.trial.measure import Measured

LLAMA = Measured(
    kind="llama",
    backend="llama.cpp",
    prompt=903,
    first_token=2.5,
    rates={1: 100.0, 8: 200.0, 32: 240.0},
    memory=1_500_000_000,
)
OTHER = replace(LLAMA, kind="openvino", first_token=0.5, rates={1: 80.0, 8: 500.0, 32: 600.0}, memory=None)
FOUND = Findings(
    model="m", path=Path("m.gguf"), size=90_000_000, machine="2 cores of x", bandwidth=18e9, engines=(LLAMA, OTHER)
)


def test_the_table_has_a_row_a_figure_and_their_ratio() -> None:
    told = list(lines(FOUND))
    assert told[:2] == ["m, 90 MB, on 2 cores of x", "memory: 18.0 GB a second"]
    rows = [" ".join(line.split()) for line in told]
    assert "llama openvino ratio" in rows
    assert "first token of 903 tokens, s 2.50 0.50 0.20" in rows
    assert "tokens a second, 8 streams 200.0 500.0 2.50" in rows
    assert "memory of the engine's process, MB 1,500 - -" in rows
    assert "share of the memory's limit 50% 40% 0.80" in rows


def test_the_longest_bar_is_the_largest_value() -> None:
    told = list(lines(FOUND))
    place = told.index("tokens a second, 8 streams (longer is better)")
    assert told[place + 1 : place + 3] == ["  llama    " + "█" * 16 + " 200.0", "  openvino " + "█" * 40 + " 500.0"]
    assert "first token of 903 tokens, s (shorter is better)" in told


def test_one_engine_is_compared_with_nothing() -> None:
    told = list(lines(replace(FOUND, engines=(LLAMA,), without="openvino was not measured.")))
    assert not any("ratio" in line or "openvino" in line for line in told)


def test_programs_are_told_plain_numbers() -> None:
    told = FOUND.told("openvino")
    assert told["remembered"] == "openvino" and told["gain"] == round((5 * 0.8 * 2.5 * 2.5) ** 0.25, 3)
    first, second = told["engines"]
    assert first["tokens_per_second"] == {"1": 100.0, "8": 200.0, "32": 240.0}
    assert first["share_of_bandwidth"] == 0.5 and second["memory_bytes"] is None
