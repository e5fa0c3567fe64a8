"""The API reference's snippets as programs: what is put around each, and how it is run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Server

SEED = Path(__file__).parent / "seed"
NODE_MODULES = Path(__file__).parents[1] / "sdk/node/node_modules"
SECONDS = 900

_PRELUDES = {
    ".py": "from openai import OpenAI\nclient = OpenAI()\n",
    ".mjs": 'import OpenAI from "openai";\nconst client = new OpenAI();\n',
    ".sh": 'curl() { url=$1; shift; command curl -sS --fail-with-body "$OPENAI_BASE_URL${url#*/v1}" "$@"; }\n',
}
_BEGINNINGS = ("from openai import OpenAI\n", 'import OpenAI from "openai";\n')


@dataclass(frozen=True)
class Snippet:
    """A file of `seed/`; `shows` is the expression that holds its answer where it prints nothing itself.

    `follows` is the snippet that it continues, `meanwhile` what the reader does in between, `given` the reader's own
    code that it uses.
    """

    name: str
    shows: str | None = None
    follows: str | None = None
    given: str = ""
    meanwhile: str = ""

    @property
    def path(self) -> Path:
        """The file as the reference has it."""
        return SEED / self.name

    def program(self) -> str:
        """The snippet, byte for byte, between what it silently continues and what shows its answer."""
        text = self.path.read_text()
        continued = "" if self.follows is None else (SEED / self.follows).read_text() + self.meanwhile
        alone = any(beginning in (continued + text) for beginning in _BEGINNINGS)
        before = self.given + ("" if alone else _PRELUDES[self.path.suffix]) + continued
        show = "console.log" if self.path.suffix == ".mjs" else "print"
        after = "" if self.shows is None else f"{show}({self.shows})\n"
        return before + text + after


def run(snippet: Snippet, server: Server, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a snippet in `folder` as a stranger's program: only the two variables of the SDKs point to the server."""
    place = folder / f"run-{snippet.name}"
    place.mkdir(parents=True)
    program = place / snippet.name
    program.write_text(snippet.program())
    if program.suffix == ".mjs":
        (place / "node_modules").symlink_to(NODE_MODULES)
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {**kept, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.key}
    command = {".py": sys.executable, ".mjs": "node", ".sh": "sh"}[program.suffix]
    return subprocess.run(
        [command, program], cwd=place, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def missing_programs() -> list[str]:
    """What the snippets need and this machine lacks."""
    missing = [program for program in ("node", "curl") if shutil.which(program) is None]
    return missing if (NODE_MODULES / "openai").is_dir() else [*missing, f"`npm ci` in {NODE_MODULES.parent}"]
