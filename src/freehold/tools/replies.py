"""What was read lately: a conversation's next turn brings the same images and files again."""

import hashlib

from msgspec import msgpack

from freehold.tools.jobs import Job, Reply


class Replies:
    """The last replies, by the job that they answer."""

    def __init__(self, most: int = 64_000_000) -> None:
        """Keep at most `most` bytes of text and pictures."""
        self._most = most
        self._size = 0
        self._known: dict[bytes, Reply] = {}

    def find(self, job: Job) -> Reply | None:
        """Return the reply to a job that was done lately."""
        key = _key(job)
        reply = self._known.pop(key, None)
        if reply is not None:
            self._known[key] = reply  # the last one to be forgotten now
        return reply

    def keep(self, job: Job, reply: Reply) -> None:
        """Keep a reply; the ones that were not asked for longest are forgotten for it."""
        key = _key(job)
        if key not in self._known:
            self._known[key] = reply
            self._size += _size(reply)
        while self._size > self._most:
            self._size -= _size(self._known.pop(next(iter(self._known))))


def _key(job: Job) -> bytes:
    return hashlib.sha256(msgpack.encode(job)).digest()


def _size(reply: Reply) -> int:
    return len(reply.text) + sum(map(len, reply.pictures))
