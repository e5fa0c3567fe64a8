"""Other servers that stand before an engine, each installed into a venv of its own and set up alike."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

KEY = "sk-bench"


@dataclass(frozen=True)
class Start:
    """How a server is started, and where it listens."""

    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peer:
    """A server that is measured. `start` writes its settings into a folder.

    `start` is given the folder with its programs, one to write to, its port and the upstream's. `packages` are none for
    our own. `stored` says whether it keeps responses as it is set up here.
    """

    name: str
    start: Callable[[Path, Path, int, int], Start]
    packages: tuple[str, ...] = ()
    python: tuple[int, int] = (3, 10)
    model: str = "null"
    stored: bool = True


def _freehold(_: Path, folder: Path, port: int, upstream: int) -> Start:
    settings = folder / "settings.toml"
    url = f"http://127.0.0.1:{upstream}/v1"
    settings.write_text(f'[[engines]]\nname = "null"\nkind = "remote"\nurl = "{url}"\nmodels = ["null"]\n')
    serve = (sys.executable, "-m", "freehold.cli.main", "serve", "--config", str(settings), "--port", str(port))
    return Start((*serve, "--data", str(folder / "data"), "--key", KEY))


def _litellm(bin_: Path, folder: Path, port: int, upstream: int) -> Start:
    settings = folder / "config.yaml"
    settings.write_text(
        'model_list:\n- model_name: "null"\n  litellm_params:\n    model: openai/null\n'
        f'    api_base: "http://127.0.0.1:{upstream}/v1"\n    api_key: nothing\n'
        f"general_settings:\n  master_key: {KEY}\n"
    )
    where = ("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False")
    # Without the first it fetches a list of prices when it starts.
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR"}
    return Start((str(bin_ / "litellm"), "--config", str(settings), *where), env)


_OGX = """\
version: 2
distro_name: bench
apis: [inference, responses, vector_io, tool_runtime, files, file_processors]
providers:
  inference:
  - provider_id: vllm
    provider_type: remote::vllm
    config: {{base_url: "http://127.0.0.1:{upstream}/v1", api_token: nothing, max_tokens: 4096}}
  responses:
  - provider_id: builtin
    provider_type: inline::builtin
    config:
      persistence:
        responses: {{table_name: responses, backend: sql_default, max_write_queue_size: 10000, num_writers: 4}}
  vector_io: []
  tool_runtime: []
  file_processors: []
  files:
  - provider_id: local
    provider_type: inline::localfs
    config: {{storage_dir: "{folder}/files", metadata_store: {{table_name: files, backend: sql_default}}}}
storage:
  backends:
    kv_default: {{type: kv_sqlite, db_path: "{folder}/kv.db"}}
    sql_default: {{type: sql_sqlite, db_path: "{folder}/sql.db"}}
  stores:
    metadata: {{namespace: registry, backend: kv_default}}
    inference: {{table_name: inference, backend: sql_default, max_write_queue_size: 10000, num_writers: 4}}
    conversations: {{table_name: conversations, backend: sql_default}}
    prompts: {{table_name: prompts, backend: sql_default}}
registered_resources: {{models: []}}
server: {{port: {port}, host: 127.0.0.1}}
"""


def _ogx(bin_: Path, folder: Path, port: int, upstream: int) -> Start:
    settings = folder / "config.yaml"
    settings.write_text(_OGX.format(folder=folder, port=port, upstream=upstream))
    return Start((str(bin_ / "ogx"), "run", "--insecure", str(settings)), {"HOME": str(folder)})


def _agentic(bin_: Path, folder: Path, port: int, upstream: int) -> Start:
    where = ("--gateway-host", "127.0.0.1", "--gateway-port", str(port))
    upstream_ = ("--llm-api-base", f"http://127.0.0.1:{upstream}", "--skip-llm-ready-check")
    database = ("--db-url", f"sqlite://{folder}/agentic.db")
    return Start((str(bin_ / "agentic-server"), *where, *upstream_, *database), {"HOME": str(folder)})


FREEHOLD = Peer("freehold", _freehold)
PEERS = {
    "litellm": Peer("litellm", _litellm, ("litellm[proxy]",), stored=False),
    "ogx": Peer("ogx", _ogx, ("ogx",), (3, 12), model="vllm/null"),
    "agentic-api": Peer("agentic-api", _agentic, ("agentic-api",)),
}


def install(peer: Peer, cache: Path) -> tuple[Path, str]:
    """Install a peer where it is not yet; return the folder of its programs, and its version."""
    venv = cache / peer.name
    done = venv / "installed"
    if not done.exists():
        print(f"installing {' '.join(peer.packages)} into {venv}", file=sys.stderr)
        subprocess.run((_python(peer.python), "-m", "venv", str(venv)), check=True)
        subprocess.run((str(venv / "bin" / "pip"), "install", "-q", *peer.packages), check=True)
        done.touch()
    package = peer.packages[0].partition("[")[0]
    shown = "import importlib.metadata as m, sys; print(m.version(sys.argv[1]))"
    told = subprocess.run((str(venv / "bin" / "python"), "-c", shown, package), check=True, capture_output=True)
    return venv / "bin", told.stdout.decode().strip()


def _python(least: tuple[int, int]) -> str:
    """A Python that is new enough: this one, or one on the path, or one of pyenv's."""
    if sys.version_info[:2] >= least:
        return sys.executable
    names = [f"3.{minor}" for minor in range(least[1], least[1] + 4)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for name in names:
        for found in sorted(pyenv.glob(f"{name}.*/bin/python")):
            return str(found)
        if found := shutil.which(f"python{name}"):
            return found
    raise SystemExit(f"this needs Python {least[0]}.{least[1]}: put it on the path")
