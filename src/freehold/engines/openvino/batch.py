"""The answers that OpenVINO computes at the same time: one thread advances all of them by a token a step."""

import logging
import os
from collections.abc import Callable, Sequence
from threading import Condition, Thread
from typing import Any

import numpy as np
import openvino
import openvino_genai

_GENAI: Any = openvino_genai  # compiled modules, in which type checkers see little
_TENSOR: Any = openvino.Tensor
_MOST_GRAMMARS = 256  # it keeps up to a megabyte of each
_log = logging.getLogger(__name__)

OpenPipeline = Callable[[bool], Any]
"""Opens a pipeline, with what it has read of prompts kept for others that begin alike, or not."""


class Run:
    """An answer that is computed: its tokens since they were last taken, and how it ended."""

    def __init__(self, tokens: Sequence[int], config: Any, owner: str, grammar: str) -> None:
        self.tokens = tokens
        self.config = config
        self.owner = owner
        self.grammar = hash(grammar)
        self.new: list[int] = []
        self.reason = ""
        self.failure = ""
        self.cancelled = False
        self.handle: Any = None


class Batch:
    """Drives a pipeline while there are answers to compute.

    OpenVINO's cache of prompts knows no owners. So it is on while one owner alone has asked; when a second one comes,
    the pipeline is opened again without it, as soon as what runs has ended. The same is done after many different
    grammars, because it forgets none.
    """

    def __init__(self, open_pipeline: OpenPipeline, shared: bool) -> None:
        """With `shared`, all owners may use what any of them left in the cache."""
        self._open = open_pipeline
        self._pipeline: Any = open_pipeline(True)
        self._shared = shared
        self._caching = True
        self._owner: str | None = None
        self._grammars = set[int]()
        self._number = 0
        self._waiting: list[Run] = []
        self._running: list[Run] = []
        self._changed = Condition()
        Thread(target=self._drive, daemon=True).start()

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the model."""
        return self._pipeline.get_tokenizer()

    def start(self, tokens: Sequence[int], config: Any, owner: str, grammar: str = "") -> Run:
        """Have an answer computed from now on; `grammar` is that of its `config`."""
        run = Run(tokens, config, owner, grammar)
        with self._changed:
            self._waiting.append(run)
            self._changed.notify_all()
        return run

    def take(self, run: Run, seconds: float) -> tuple[list[int], str]:
        """Return the next tokens and, with the last ones, why it ended; nothing when none come within `seconds`.

        Raises RuntimeError when OpenVINO failed.
        """
        with self._changed:
            self._changed.wait_for(lambda: run.new or run.reason or run.failure, seconds)
            if run.failure:
                raise RuntimeError(run.failure)
            new, run.new = run.new, []
            return new, run.reason

    def cancel(self, run: Run) -> None:
        """Have nothing more computed of an answer."""
        with self._changed:
            run.cancelled = True
            self._changed.notify_all()

    def _drive(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._running)
                self._waiting = [run for run in self._waiting if not run.cancelled]
            try:
                self._admit()
                self._step()
            except Exception as error:  # noqa: BLE001 - what fails is told to those who wait for it
                self._fail(f"OpenVINO failed: {error}")

    def _admit(self) -> None:
        """Begin with those who wait, in their order, until one needs the pipeline opened again.

        One that OpenVINO does not take fails alone: those that run are not touched by it.
        """
        while self._waiting:
            run = self._waiting[0]
            second = self._caching and not self._shared and self._owner not in (None, run.owner)
            unknown = run.grammar and run.grammar not in self._grammars
            if second or (unknown and len(self._grammars) == _MOST_GRAMMARS):
                if self._running:
                    return
                self._reopen(second)
            self._owner = run.owner
            if run.grammar:
                self._grammars.add(run.grammar)
            self._number += 1
            try:
                prompt = _TENSOR(np.array([run.tokens], dtype=np.int64))
                run.handle = self._pipeline.add_request(self._number, prompt, run.config)
            except Exception as error:  # noqa: BLE001 - what fails is told to who waits for it
                run.failure = f"OpenVINO does not take this request: {error}"
            with self._changed:
                self._waiting.remove(run)
                if run.failure:
                    self._changed.notify_all()
                else:
                    self._running.append(run)

    def _reopen(self, second: bool) -> None:
        if second:
            _log.warning("a second project uses the model: what was read of prompts is not reused from now on")
            self._caching = False
        else:
            _log.info("the model is opened again: OpenVINO would keep all grammars that it has read")
        self._grammars.clear()
        self._pipeline = None  # first, so that the model is not in memory twice
        self._pipeline = self._open(self._caching)

    def _step(self) -> None:
        for run in self._running:
            if run.cancelled:
                run.handle.cancel()
        if self._pipeline.has_non_finished_requests():
            self._pipeline.step()
        with self._changed:
            for run in self._running:
                self._read(run)
            self._running = [run for run in self._running if not run.reason]
            self._changed.notify_all()

    def _read(self, run: Run) -> None:
        finish = _GENAI.GenerationFinishReason
        while run.handle.can_read():
            for output in run.handle.read().values():
                run.new.extend(output.generated_ids)
                if output.finish_reason != finish.NONE:
                    run.reason = "length" if output.finish_reason == finish.LENGTH else "stop"
        status = run.handle.get_status()
        if not run.reason and (
            run.cancelled or status in (_GENAI.GenerationStatus.CANCEL, _GENAI.GenerationStatus.STOP)
        ):
            run.reason = "cancelled"
        if not run.reason and status == _GENAI.GenerationStatus.IGNORED:
            run.failure = "OpenVINO has no memory left for this answer"
            run.reason = "cancelled"

    def _fail(self, message: str) -> None:
        """End everything that runs or waits: a pipeline that has failed may be in any state, so a new one is opened."""
        _log.error(message)
        with self._changed:
            for run in (*self._running, *self._waiting):
                run.failure = message
            self._running, self._waiting = [], []
            self._changed.notify_all()
        try:
            self._grammars.clear()
            self._pipeline = None
            self._pipeline = self._open(self._caching)
        except Exception:  # noqa: BLE001 - nothing that is left could answer
            _log.exception("OpenVINO cannot be opened again")
            os._exit(1)  # whoever watches this process starts another
