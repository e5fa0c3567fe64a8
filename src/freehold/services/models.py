"""The models that clients see: list, find, and withdraw a name."""

from freehold.core.catalog import Catalog
from freehold.core.errors import Denied, NotFound
from freehold.core.principal import Principal
from freehold.surfaces.models import Model, ModelDeleted, ModelList, model


class Models:
    """What the catalogue answers to."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def list(self) -> ModelList:
        """Every name that answers, in alphabetical order."""
        return ModelList(data=tuple(model(entry) for entry in sorted(self._catalog, key=lambda entry: entry.name)))

    def retrieve(self, name: str) -> Model:
        """One name. Raises NotFound (`model_not_found`) when nothing answers to it."""
        entry = self._catalog.find(name)
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
        if not self._catalog.withdraw(name):
            raise NotFound(self._catalog.why_missing(name), "model_not_found", "model")
        return ModelDeleted(id=name)
