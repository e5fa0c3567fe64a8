"""The multilingual starter: what was rewritten as GGUF understands a hundred languages, and cleans its texts."""

from pathlib import Path

import numpy as np
import pytest
from openai import BadRequestError, OpenAI

from tests.servers import running_server

PASSAGES = {
    "fire.txt": "In case of fire, leave by the nearest stairs and meet in the car park.",
    "dog.txt": "The dog sleeps in the garden behind the house.",
    "tea.txt": "Let the tea stand for four minutes in boiling water.",
}
QUESTIONS = {
    "Wohin muss ich gehen, wenn es brennt?": "fire.txt",
    "¿Dónde duerme el perro?": "dog.txt",
    "紅茶は何分蒸らしますか": "tea.txt",
    "Как долго заваривать чай?": "tea.txt",
}


def test_questions_find_answers_in_another_language(multilingual: Path, tmp_path: Path) -> None:
    config = tmp_path / "freehold.toml"
    config.write_text(f'[[embedders]]\nname = "mine"\nmodel = "{multilingual.stem}"\n')
    with (
        running_server(tmp_path / "server", "--config", str(config), "--engine", "script") as server,
        OpenAI(base_url=server.base_url, api_key=server.key) as client,
    ):
        store = client.vector_stores.create()
        for name, text in PASSAGES.items():
            client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=(name, text.encode()))
        for question, name in QUESTIONS.items():
            assert client.vector_stores.search(store.id, query=question).data[0].filename == name
        answer = client.embeddings.create(model=multilingual.stem, input=["the office hours", "the of\ufb01ce\thours"])
        first, second = (np.array(one.embedding) for one in answer.data)
        assert first @ second == pytest.approx(1, abs=1e-3)
        with pytest.raises(BadRequestError) as caught:
            client.embeddings.create(model=multilingual.stem, input=["short", "long " * 600])
        assert caught.value.param == "input[1]"
        with pytest.raises(BadRequestError) as caught:
            client.embeddings.create(model=multilingual.stem, input="short", dimensions=64)
        assert caught.value.param == "dimensions"
