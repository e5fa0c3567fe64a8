"""The command as people run it: one line for what is wrong, never a traceback."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def freehold(*arguments: str, data: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "freehold.cli.main", "--data", str(data), *arguments]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FREEHOLD_", "OPENAI_"))}
    return subprocess.run(
        command, env=kept | environ, capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL
    )


def test_every_help_is_there(tmp_path: Path) -> None:
    for words in (
        [],
        ["serve"],
        ["chat"],
        ["models"],
        ["models", "pull"],
        ["keys", "create"],
        ["projects", "delete"],
        ["doctor"],
    ):
        done = freehold(*words, "--help", data=tmp_path)
        assert done.returncode == 0 and "Usage:" in done.stdout and done.stderr == ""


def test_a_key_is_shown_once_and_listed_without_its_secret(tmp_path: Path) -> None:
    made = freehold("keys", "create", "--name", "my app", data=tmp_path)
    secret = made.stdout.strip()
    assert made.returncode == 0 and secret.startswith("sk-fh-")
    listed = freehold("keys", "list", data=tmp_path).stdout
    assert secret not in listed and secret[-4:] in listed and "my app" in listed and "active" in listed
    key_id = next(word for word in listed.split() if word.startswith("key_"))
    assert freehold("keys", "revoke", key_id, data=tmp_path).returncode == 0
    assert "revoked" in freehold("keys", "list", data=tmp_path).stdout
    stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert secret.encode() not in stored


def test_chat_answers_without_a_server(tmp_path: Path) -> None:
    done = freehold("chat", "--engine", "script", "Hello", "there!", data=tmp_path)
    assert (done.returncode, done.stdout) == (0, "Hello there!\n")


@pytest.mark.parametrize(
    ("arguments", "environ", "message"),
    [
        (["serve", "--model", "nope"], {}, "No model 'nope'"),
        (["serve", "--engine", "nope"], {}, "unknown kind 'nope'"),
        (["serve", "--config", "none.toml"], {}, "does not exist"),
        (["serve"], {"FREEHOLD__SERVER__PROT": "1"}, "Unknown setting server.prot"),
        (["serve", "--engine", "script"], {"FREEHOLD__STORAGE__DATABASE": "mysql://x/y"}, "not supported"),
        (["keys", "revoke", "key_none"], {}, "No API key with id 'key_none'"),
        (["models", "rm", "smollm2-135m"], {}, "is not in"),
        (["chat", "--url", "http://127.0.0.1:9/v1", "Hi"], {}, "does not answer"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, arguments: list[str], environ: dict[str, str], message: str) -> None:
    done = freehold(*arguments, data=tmp_path, FREEHOLD_MODELS=str(tmp_path / "models"), **environ)
    assert done.returncode == 1
    assert message in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = freehold("serve", "--engine", "script", "--port", port, data=tmp_path)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert port in done.stderr and "in use" in done.stderr


def test_the_doctor_says_what_it_found(tmp_path: Path) -> None:
    done = freehold("doctor", data=tmp_path, FREEHOLD_MODELS=str(tmp_path / "models"))
    assert done.returncode == 0, done.stdout
    for word in ("Python", "embedded engine", "data folder", "database", "All that is needed is here."):
        assert word in done.stdout


def test_the_doctor_fails_when_something_needed_is_missing(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text("[server]\nprot = 1\n")
    done = freehold("doctor", data=tmp_path, FREEHOLD_MODELS=str(tmp_path / "models"))
    assert done.returncode == 1
    assert "MISSING settings: Unknown setting server.prot" in done.stdout


def test_a_wrong_option_has_its_own_status(tmp_path: Path) -> None:
    done = freehold("serve", "--prot", "1", data=tmp_path)
    assert done.returncode == 2 and "--prot" in done.stderr


@pytest.fixture
def heeded() -> Iterator[None]:
    """Have children heed Ctrl-C, also where the tests run in the background: there they would ignore it, as we do."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded")
def test_ctrl_c_ends_an_answer_at_once(tmp_path: Path) -> None:
    (tmp_path / "freehold.toml").write_text('[[engines]]\nname = "slow"\nkind = "script"\nrate = 2\n')
    command = [sys.executable, "-m", "freehold.cli.main", "--data", str(tmp_path), "chat", "--engine", "slow"]
    with subprocess.Popen([*command, "one " * 100], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as chat:
        assert chat.stdout is not None and chat.stdout.read(3) == "one"
        chat.send_signal(signal.SIGINT)
        _, complaint = chat.communicate(timeout=10)
    assert chat.returncode == 130 and complaint.strip() == ""
