"""The models that clients see: list, find, and withdraw a name."""

from freehold.core.catalog import Catalog
from freehold.core.errors import Denied, NotFound
from freehold.core.principal import Principal
from freehold.services.encoders import Encoders
from freehold.surfaces.models import Model, ModelDeleted, ModelList, encoder_model, model


class Models:
    """What the catalogue, and the embedding models, answer to."""

    def __init__(self, catalog: Catalog, encoders: Encoders) -> None:
        self._catalog = catalog
        self._encoders = encoders

    def list(self) -> ModelList:
        """Every name that answers, in alphabetical order."""
        answering = [model(entry) for entry in self._catalog]
        encoding = [encoder_model(one.name, one.encoder) for one in self._encoders]
        return ModelList(data=tuple(sorted(answering + encoding, key=lambda one: one.id)))

    def retrieve(self, name: str) -> Model:
        """One name. Raises NotFound (`model_not_found`) when nothing answers to it."""
        entry, encoding = self._catalog.find(name), self._encoders.find(name)
        if encoding is not None:
            return encoder_model(encoding.name, encoding.encoder)
        if entry is None:
            raise NotFound(self._catalog.why_missing(name), "model_not_found", "model")
        return model(entry)

    def withdraw(self, who: Principal, name: str) -> ModelDeleted:
        """Stop answering to a name until the server starts again; no file is touched.

        Raises Denied when the key is no owner's, NotFound when nothing answers to the name.
        """
        if not who.owner:
            raise Denied(
                "You have insufficient permissions for this operation: only a key with the owner role may delete a "
                "model. Make one with `freehold keys create --owner`.",
                "insufficient_permissions",
            )
        if not self._catalog.withdraw(name) and not self._encoders.withdraw(name):
            raise NotFound(self._catalog.why_missing(name), "model_not_found", "model")
        return ModelDeleted(id=name)
