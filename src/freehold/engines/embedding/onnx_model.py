"""An ONNX embedding model, hosted by a worker process."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from freehold.core.prompt import Raw
from freehold.engines.embedding.onnx import TOKENIZER, model_file
from freehold.engines.worker.host import Backend
from freehold.engines.worker.messages import Embedded, Open, Ready, Refused

_TOGETHER = 16


class OnnxModel(Backend):
    """A transformer whose last layer is averaged over the tokens of a text. It needs onnxruntime and tokenizers."""

    def __init__(self, opening: Open) -> None:
        runtime: Any = import_module("onnxruntime")
        folder = Path(opening.path)
        options = runtime.SessionOptions()
        if opening.threads:
            options.intra_op_num_threads = opening.threads
        self._session = runtime.InferenceSession(str(model_file(folder)), options, ["CPUExecutionProvider"])
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._tokenizer = import_module("tokenizers").Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._context = opening.context or 512
        self.ready = Ready(
            context=self._context,
            pool=self._context,
            created=0,
            backend=f"onnxruntime {runtime.__version__}",
            fingerprint="",
            temperature=0.0,
            top_p=0.0,
            vocabulary=self._tokenizer.get_vocab_size(),
        )

    def embed(self, texts: tuple[Raw, ...]) -> Embedded:
        """Return the vectors of texts; those of like length are computed together. Raises Refused for a token."""
        tokens = [self._tokens(text) for text in texts]
        for number, found in enumerate(tokens):
            if len(found) > self._context:
                return Embedded(0, (), len(found), number)
        order = sorted(range(len(tokens)), key=lambda number: len(tokens[number]))
        rows: dict[int, bytes] = {}
        for start in range(0, len(order), _TOGETHER):
            some = order[start : start + _TOGETHER]
            for number, row in zip(some, self._computed([tokens[one] for one in some]), strict=True):
                rows[number] = row.tobytes()
        return Embedded(0, tuple(rows[number] for number in range(len(texts))), sum(map(len, tokens)))

    def _tokens(self, text: Raw) -> list[int]:
        if isinstance(text, str):
            return self._tokenizer.encode(text).ids
        if max(text) >= self.ready.vocabulary:
            raise Refused(f"Invalid token: {max(text)}. The model has {self.ready.vocabulary} tokens.")
        return list(text)

    def _computed(self, tokens: list[list[int]]) -> np.ndarray:
        longest = max(map(len, tokens))
        ids = np.zeros((len(tokens), longest), np.int64)
        mask = np.zeros((len(tokens), longest), np.int64)
        for place, found in enumerate(tokens):
            ids[place, : len(found)] = found
            mask[place, : len(found)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (hidden, *_) = self._session.run(None, {name: given[name] for name in self._inputs})
        weights = mask[:, :, None].astype(np.float32)
        averaged = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        return (averaged / np.linalg.norm(averaged, axis=1, keepdims=True)).astype("<f4")
