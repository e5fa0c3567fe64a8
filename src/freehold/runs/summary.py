"""The summary of a thought: its own sentences, chosen; nothing is invented and no model is asked."""

import re

from freehold.core.items import SummaryText
from freehold.core.prompt import Summary

_SENTENCE = re.compile(r"[^\s].*?(?:[.!?:](?=\s)|\n|$)", re.DOTALL)
_LONGEST = 300
_MOST_DETAILS = 12


def summarise(thought: str, style: Summary) -> tuple[SummaryText, ...]:
    """Return the summary's parts, none for an empty thought.

    `concise` and `auto` are the sentence that the thought opens with and the one that it concludes with; `detailed` is
    the opening sentence of each paragraph, a part each.
    """
    if style == "detailed":
        paragraphs = [sentences for block in re.split(r"\n\s*\n", thought) if (sentences := _sentences(block))]
        return tuple(SummaryText(" ".join(one[:2])) for one in paragraphs[:_MOST_DETAILS])
    sentences = _sentences(thought)
    if not sentences:
        return ()
    return (SummaryText(" ".join(dict.fromkeys((sentences[0], sentences[-1])))),)


def _sentences(text: str) -> list[str]:
    found = (" ".join(match[0].split()) for match in _SENTENCE.finditer(text))
    return [one if len(one) <= _LONGEST else one[: _LONGEST - 1] + "…" for one in found if one]
