"""What was read lately."""

from freehold.tools.jobs import Job, Reply
from freehold.tools.replies import Replies

ONE, TWO, THREE = (Job("ocr", data) for data in (b"1", b"2", b"3"))


def test_the_same_job_has_the_same_reply() -> None:
    replies = Replies()
    assert replies.find(ONE) is None
    replies.keep(ONE, Reply("text"))
    assert replies.find(Job("ocr", b"1")) == Reply("text")
    assert replies.find(Job("ocr", b"1", "low")) is None
    assert replies.find(Job("picture", b"1")) is None


def test_the_one_that_was_not_asked_for_longest_is_forgotten() -> None:
    replies = Replies(most=10)
    replies.keep(ONE, Reply("12345"))
    replies.keep(TWO, Reply(pictures=(b"12", b"345")))
    assert replies.find(ONE) is not None
    replies.keep(THREE, Reply("1234"))
    assert [replies.find(job) is not None for job in (ONE, TWO, THREE)] == [True, False, True]
    replies.keep(TWO, Reply("x" * 11))
    assert [replies.find(job) for job in (ONE, TWO, THREE)] == [None, None, None]
