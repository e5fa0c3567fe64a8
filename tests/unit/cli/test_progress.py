import io

from freehold.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_terminal_the_line_is_drawn_over() -> None:
    out = Terminal()
    bar = Bar("fetching x", out)
    bar(0, 100)
    bar(100, 100)
    bar.close()
    assert out.getvalue().count("\r") == 2 and "100%" in out.getvalue() and out.getvalue().endswith("\n")


def test_elsewhere_there_is_a_line_every_tenth() -> None:
    out = io.StringIO()
    bar = Bar("fetching x", out)
    for done in range(101):
        bar(done, 100)
    lines = out.getvalue().splitlines()
    assert len(lines) == 11 and all(line.startswith("fetching x") for line in lines)
    assert "100%" in lines[-1]
