"""A project is deleted while a server runs: its keys are refused, its files are gone from the disk, others are not."""

from pathlib import Path

import openai
import pytest
from openai import OpenAI

from tests.integration.test_cli import freehold
from tests.servers import running_server


def test_a_project_is_deleted_while_a_server_runs(tmp_path: Path) -> None:
    with running_server(tmp_path / "server", "--engine", "script") as server:
        data = tmp_path / "server" / "data"
        key = freehold("keys", "create", "--project", "billing", data=data).stdout.strip()
        with (
            OpenAI(base_url=server.base_url, api_key=key, max_retries=0) as theirs,
            OpenAI(base_url=server.base_url, api_key=server.key, max_retries=0) as ours,
        ):
            kept = ours.responses.create(model="gpt-5", input="Ours")
            stored = theirs.responses.create(model="gpt-5", input="Theirs")
            theirs.files.create(file=("secret.txt", b"a secret of theirs"), purpose="user_data")
            assert "billing: 1 files, 1 keys, 1 responses" in freehold("projects", "list", data=data).stdout

            refused = freehold("projects", "delete", "billing", data=data)
            assert (refused.returncode, theirs.responses.retrieve(stored.id).id) == (130, stored.id)
            done = freehold("projects", "delete", "billing", "--yes", data=data)
            assert (done.returncode, done.stdout) == (0, "deleted 1 files, 1 keys, 1 responses\n")
            with pytest.raises(openai.AuthenticationError):
                theirs.responses.retrieve(stored.id)
            assert ours.responses.retrieve(kept.id).id == kept.id
            assert "billing" not in freehold("projects", "list", data=data).stdout
            again = freehold("projects", "delete", "billing", "--yes", data=data)
            assert (again.returncode, "there is no project 'billing'" in again.stderr) == (1, True)
