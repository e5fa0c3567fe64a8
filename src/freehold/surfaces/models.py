"""The model objects, as they stand on the wire."""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from freehold.core.catalog import Entry
from freehold.core.ports import Encoder, Vision


class Backing(Struct, frozen=True, kw_only=True):
    """What stands behind a model name: Freehold's own addition to the model object. Lengths are in tokens.

    `dimensions` are those of an embedding model's vectors.
    """

    serves: str
    alias: bool
    engine: str
    backend: str
    context_length: int
    max_output_tokens: int
    reasoning_efforts: tuple[str, ...]
    vision: Vision
    dimensions: int | UnsetType = UNSET


class Model(Struct, frozen=True, kw_only=True):
    """A model that answers."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    freehold: Backing


class ModelList(Struct, frozen=True, kw_only=True):
    """Every model that answers."""

    object: Literal["list"] = "list"
    data: tuple[Model, ...]


class ModelDeleted(Struct, frozen=True, kw_only=True):
    """The answer to a deletion."""

    id: str
    object: Literal["model"] = "model"
    deleted: bool = True


def model(entry: Entry) -> Model:
    """Render a catalogue entry."""
    served = entry.served
    return Model(
        id=entry.name,
        created=served.created,
        owned_by=served.owned_by,
        freehold=Backing(
            serves=served.name,
            alias=entry.name != served.name,
            engine=entry.engine,
            backend=served.backend,
            context_length=served.context,
            max_output_tokens=served.max_output,
            reasoning_efforts=("none",),
            vision=served.vision,
        ),
    )


def encoder_model(name: str, encoder: Encoder) -> Model:
    """Render an embedding model that answers to a name."""
    return Model(
        id=name,
        created=encoder.created,
        owned_by=encoder.owned_by,
        freehold=Backing(
            serves=encoder.name,
            alias=name != encoder.name,
            engine="embeddings",
            backend=encoder.backend,
            context_length=encoder.context,
            max_output_tokens=0,
            reasoning_efforts=(),
            vision="none",
            dimensions=encoder.dimensions,
        ),
    )
