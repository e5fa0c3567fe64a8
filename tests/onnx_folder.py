"""The smallest embedding model there is, as an ONNX folder: words are looked up, and averaged by who reads it."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

WORDS = {"[UNK]": 0, "red": 1, "green": 2, "blue": 3}
VECTORS = np.eye(4, dtype=np.float32) * np.array([[1], [2], [3], [4]], np.float32)
CONTEXT = 6


def onnx_folder(folder: Path, inside: str = "", inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> Path:
    """Write a model that gives each word its row of VECTORS; the file of the model into the folder `inside`."""
    hidden = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["texts", "tokens", 4])
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, ["texts", "tokens"]) for name in inputs]
    look_up = helper.make_node("Gather", ["vectors", "input_ids"], ["last_hidden_state"])
    graph = helper.make_graph([look_up], "words", given, [hidden], [numpy_helper.from_array(VECTORS, "vectors")])
    (folder / inside).mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    save(model, folder / inside / "model.onnx")
    tokenizer = Tokenizer(WordLevel(WORDS, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"hidden_size": 4, "max_position_embeddings": CONTEXT}))
    return folder
