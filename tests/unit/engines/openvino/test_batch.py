"""The answers of one process with a pipeline that answers each prompt with its own tokens, one a step."""

from typing import Any

import pytest

genai: Any = pytest.importorskip("openvino_genai", reason="the extra `openvino` is for x86-64")

from freehold.engines.openvino.batch import Batch, Run  # noqa: E402 - it needs the extra

FINISH, STATUS = genai.GenerationFinishReason, genai.GenerationStatus


class Output:
    def __init__(self, token: int, last: bool) -> None:
        self.generated_ids = [token]
        self.finish_reason = FINISH.STOP if last else FINISH.NONE


class Handle:
    def __init__(self, tokens: list[int]) -> None:
        self.left = tokens
        self.ready: list[Output] = []
        self.status = STATUS.RUNNING

    def can_read(self) -> bool:
        return bool(self.ready)

    def read(self) -> dict[int, Output]:
        return {0: self.ready.pop(0)}

    def get_status(self) -> Any:
        return self.status

    def cancel(self) -> None:
        self.status = STATUS.CANCEL


class Pipeline:
    def __init__(self, caching: bool) -> None:
        self.caching = caching
        self.handles: list[Handle] = []
        self.seen: list[list[int]] = []

    def add_request(self, number: int, prompt: Any, config: Any) -> Handle:
        tokens = prompt.data[0].tolist()
        if tokens == [13]:
            raise RuntimeError("thirteen")
        self.seen.append(tokens)
        self.handles.append(Handle(list(tokens)))
        return self.handles[-1]

    def has_non_finished_requests(self) -> bool:
        return any(one.left and one.status == STATUS.RUNNING for one in self.handles)

    def step(self) -> None:
        if any(one.left[:1] == [666] for one in self.handles):
            raise RuntimeError("broken")
        for one in self.handles:
            if one.left and one.status == STATUS.RUNNING:
                one.ready.append(Output(one.left.pop(0), not one.left))


def batch(shared: bool = False) -> tuple[Batch, list[Pipeline]]:
    opened: list[Pipeline] = []

    def open_pipeline(caching: bool) -> Pipeline:
        opened.append(Pipeline(caching))
        return opened[-1]

    return Batch(open_pipeline, shared), opened


def whole(by: Batch, run: Run) -> tuple[list[int], str]:
    said, reason = list[int](), ""
    while not reason:
        new, reason = by.take(run, 30)
        said += new
    return said, reason


def test_a_second_owner_meets_nothing_of_the_first() -> None:
    by, opened = batch()
    runs = [by.start([n] * 50, None, owner) for n, owner in enumerate(["a", "a", "b", "a"], 1)]
    assert [whole(by, run) for run in runs] == [([n] * 50, "stop") for n in range(1, 5)]
    first, second = opened
    assert first.caching and not second.caching
    assert [tokens[0] for tokens in first.seen] == [1, 2]
    assert [tokens[0] for tokens in second.seen] == [3, 4]


def test_one_owner_and_shared_prefixes_keep_the_cache() -> None:
    for shared, owners in ((False, "aa"), (True, "ab")):
        by, opened = batch(shared)
        for owner in owners:
            assert whole(by, by.start([1, 2], None, owner)) == ([1, 2], "stop")
        (only,) = opened
        assert only.caching


def test_a_cancelled_answer_ends() -> None:
    by, _ = batch()
    run = by.start([1] * 100_000, None, "")
    by.take(run, 30)
    by.cancel(run)
    assert whole(by, run)[1] in ("cancelled", "stop")


def test_a_request_that_is_not_taken_fails_alone() -> None:
    by, opened = batch()
    before = by.start([1] * 1000, None, "")
    by.take(before, 30)
    with pytest.raises(RuntimeError, match="does not take this request: thirteen"):
        whole(by, by.start([13], None, ""))
    after = by.start([2] * 10, None, "")
    assert whole(by, after) == ([2] * 10, "stop")
    assert whole(by, before)[1] == "stop"
    assert len(opened) == 1


def test_a_broken_pipeline_fails_what_runs_and_is_opened_again() -> None:
    by, opened = batch()
    with pytest.raises(RuntimeError, match="broken"):
        whole(by, by.start([1, 666, 2], None, ""))
    assert whole(by, by.start([1, 2], None, "")) == ([1, 2], "stop")
    assert len(opened) == 2


def test_after_many_grammars_the_pipeline_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freehold.engines.openvino.batch._MOST_GRAMMARS", 2)
    by, opened = batch()
    for grammar in ("", "a", "b", "a", "", "b"):
        assert whole(by, by.start([1, 2], None, "", grammar)) == ([1, 2], "stop")
    assert len(opened) == 1
    runs = [by.start([n] * 50, None, "", grammar) for n, grammar in enumerate("abca", 1)]
    assert [whole(by, run) for run in runs] == [([n] * 50, "stop") for n in range(1, 5)]
    assert len(opened) == 2 and opened[1].caching
