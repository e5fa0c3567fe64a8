"""What can go wrong with model files.

WeightsError
├── UnknownModel   the name is no starter, no file and no hub name
├── Unreachable    a source does not answer
├── Damaged        what arrived is not what was pinned
└── NoSpace        the disk is too full
"""


class WeightsError(Exception):
    """A model file cannot be had; the message says what to do."""


class UnknownModel(WeightsError):
    """The name is no starter, no file and no hub name."""


class Unreachable(WeightsError):
    """A source does not answer, or does not have the file."""


class Damaged(WeightsError):
    """What arrived is not what was pinned."""


class NoSpace(WeightsError):
    """The disk is too full for the file."""
