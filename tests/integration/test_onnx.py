"""An ONNX model behind the server, in its own process, with the official client."""

from pathlib import Path

import numpy as np
import pytest
from openai import BadRequestError, OpenAI

from tests.onnx_folder import CONTEXT, onnx_folder
from tests.servers import running_server


def test_embeddings_of_an_onnx_model(tmp_path: Path) -> None:
    folder = onnx_folder(tmp_path / "words-v1")
    config = tmp_path / "freehold.toml"
    config.write_text(f'[[embedders]]\nname = "mine"\nkind = "onnx"\nmodel = "{folder}"\n')
    with (
        running_server(tmp_path / "server", "--config", str(config), "--engine", "script") as server,
        OpenAI(base_url=server.base_url, api_key=server.key) as client,
    ):
        answer = client.embeddings.create(model="words-v1", input=["red", "blue blue", "red"])
        first, second, third = (np.array(one.embedding) for one in answer.data)
        assert (first @ third, first @ second) == (pytest.approx(1), pytest.approx(0))
        assert answer.usage.prompt_tokens == 4
        with pytest.raises(BadRequestError) as caught:
            client.embeddings.create(model="words-v1", input=["red", "red " * (CONTEXT + 1)])
        assert caught.value.param == "input[1]"
        store = client.vector_stores.create()
        client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("colours.txt", b"red green"))
        assert [one.filename for one in client.vector_stores.search(store.id, query="green")] == ["colours.txt"]
