"""`client.models` of the official Python SDK, in strict mode."""

import subprocess
import sys
from pathlib import Path

import pytest
from openai import NotFoundError, OpenAI, PermissionDeniedError

from tests.databases import database_setting
from tests.servers import running_server, strict_client


def test_list_names_what_answers(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"script", "gpt-5", "gpt-4.1", "gpt-4o"} <= set(names)
    assert "gpt-image-1" not in names
    for name in names:
        if "embedding" in name:
            assert client.embeddings.create(model=name, input="hi", encoding_format="float").data[0].embedding
            continue
        assert client.responses.create(model=name, input="hi", store=False).output_text == "hi"


def test_retrieve(client: OpenAI) -> None:
    model = client.models.retrieve("gpt-5")
    assert (model.id, model.object, model.owned_by) == ("gpt-5", "model", "freehold")
    with pytest.raises(NotFoundError) as caught:
        client.models.retrieve("gpt-17")
    assert caught.value.code == "model_not_found"


def test_only_an_owner_may_withdraw_a_model(tmp_path: Path) -> None:
    with running_server(tmp_path, "--engine", "script") as server, strict_client(server) as owner:
        freehold = Path(sys.executable).with_name("freehold")
        command = [freehold, "--data", tmp_path / "data", "keys", "create"]
        env = database_setting(tmp_path / "data")
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, env=env)
        with pytest.raises(PermissionDeniedError):
            owner.with_options(api_key=done.stdout.strip()).models.delete("gpt-4o")
        assert owner.models.retrieve("gpt-4o").id == "gpt-4o"
        assert owner.models.delete("gpt-4o").deleted
        with pytest.raises(NotFoundError):
            owner.models.retrieve("gpt-4o")
