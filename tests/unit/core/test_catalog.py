import pytest

from freehold.core.catalog import Catalog
from freehold.core.known import KNOWN
from freehold.core.ports import Served

STARTER = Served(name="starter", context=32768, max_output=4096, created=1)
LARGE = Served(name="llama-70b", context=131072, max_output=8192, created=2)
SEED_NAMES = (
    "gpt-5.2 gpt-5.2-pro gpt-5.2-codex gpt-5-mini gpt-5-nano gpt-4.1 gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-mini "
    "o3 o4-mini gpt-image-1 dall-e-3 dall-e-2 gpt-5 gpt-5.1"
)


@pytest.mark.parametrize("name", SEED_NAMES.split())
def test_every_model_name_of_the_reference_is_known(name: str) -> None:
    assert name in KNOWN


def test_chat_names_mean_the_default_and_aliases_win() -> None:
    catalog = Catalog({"local": [STARTER], "gpu": [LARGE]}, {"gpt-4.1": "llama-70b"}, "starter")
    gpt5, gpt41 = catalog.find("gpt-5"), catalog.find("gpt-4.1")
    assert gpt5 is not None and gpt5.served is STARTER and gpt5.engine == "local"
    assert gpt41 is not None and gpt41.served is LARGE and gpt41.engine == "gpu"


def test_a_dated_snapshot_means_its_model() -> None:
    catalog = Catalog({"local": [STARTER]}, {}, "starter")
    entry = catalog.find("gpt-4o-2024-08-06")
    assert entry is not None and entry.name == "gpt-4o"
    assert catalog.find("starter-2024-08-06") is not None and catalog.find("gpt-17-2024-08-06") is None


def test_a_served_name_is_never_shadowed_by_a_known_one() -> None:
    real = Served(name="gpt-4o", context=1, max_output=1, created=1)
    catalog = Catalog({"local": [STARTER], "cloud": [real]}, {}, "starter")
    entry = catalog.find("gpt-4o")
    assert entry is not None and entry.served is real


def test_image_names_do_not_answer_and_say_why() -> None:
    catalog = Catalog({"local": [STARTER]}, {}, "starter")
    assert catalog.find("dall-e-3") is None
    assert "image model" in catalog.why_missing("dall-e-3")
    assert "does not exist" in catalog.why_missing("gpt-17")


def test_an_alias_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="alias 'a' means 'b'"):
        Catalog({"local": [STARTER]}, {"a": "b"}, "starter")


def test_a_withdrawn_name_no_longer_answers() -> None:
    catalog = Catalog({"local": [STARTER]}, {}, "starter")
    assert catalog.withdraw("gpt-5") and not catalog.withdraw("gpt-5")
    assert catalog.find("gpt-5") is None
    assert {entry.name for entry in catalog} >= {"starter", "gpt-4.1"}
