"""Collections of texts whose relevance people have judged, out of Python packages.

`papers`: 314 abstracts from arXiv that a curator gave topics to (the sources of cherche 2.2.1, MIT, in
`semanlink/arxiv.json`). A query is the name of a topic that 2 to 40 of them have.
`news`: the 50 news texts of Lee, Pincombe and Welsh (2005), "An empirical evaluation of models of text document
similarity" (gensim 4.4.0, LGPL). A query is one of the 50; relevant is what people found at least half alike.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from benches.downloads import installed, python_source

_FEWEST, _MOST = 2, 40
_ALIKE = 0.5


class Judged(NamedTuple):
    """Texts by their ids; queries by theirs; and the relevance of texts, by query."""

    texts: Mapping[str, str]
    queries: Mapping[str, str]
    relevance: Mapping[str, Mapping[str, float]]


def papers() -> Judged:
    """Abstracts, and the topics that they were filed under."""
    folder = next(python_source("cherche==2.2.1").glob("*/cherche/data/semanlink"))
    entries = json.loads((folder / "arxiv.json").read_text())
    tags = json.loads((folder / "tags.json").read_text())
    texts, filed = dict[str, str](), defaultdict[str, dict[str, float]](dict)
    for number, entry in enumerate(entries):
        texts[f"paper{number}"] = f"{entry['arxiv_title'].strip()}\n\n{entry['arxiv_summary'].strip()}"
        for tag in entry["tag"]:
            filed[tag][f"paper{number}"] = 1.0
    chosen = {tag: found for tag, found in filed.items() if tag in tags and _FEWEST <= len(found) <= _MOST}
    return Judged(texts, {tag: tags[tag]["prefLabel"][0] for tag in chosen}, chosen)


def news() -> Judged:
    """News, and how alike people found them."""
    folder = installed("gensim-4.4.0", "gensim==4.4.0") / "gensim/test/test_data"
    judged = (folder / "lee.cor").read_text("latin-1").splitlines()
    texts = {f"news{number}": text for number, text in enumerate(judged)}
    rows = [list(map(float, row.split())) for row in (folder / "similarities0-1.txt").read_text().splitlines()]
    relevance = defaultdict[str, dict[str, float]](dict)
    for first, row in enumerate(rows):
        for second, alike in enumerate(row):
            if second > first and alike >= _ALIKE:
                relevance[f"news{first}"][f"news{second}"] = alike
                relevance[f"news{second}"][f"news{first}"] = alike
    return Judged(texts, {name: texts[name] for name in relevance}, relevance)


COLLECTIONS: Mapping[str, Callable[[], Judged]] = {"papers": papers, "news": news}
