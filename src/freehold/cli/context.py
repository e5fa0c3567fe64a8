"""What every command starts from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from freehold.config import Folders
from freehold.engines.weights.hub import HUB


@dataclass(frozen=True)
class Here:
    """The environment and the folders of this run."""

    environ: Mapping[str, str]
    folders: Folders

    @property
    def hub(self) -> str:
        """Where models are fetched from: Hugging Face, or the mirror that its own tools would use."""
        return (self.environ.get("HF_ENDPOINT") or HUB).rstrip("/")

    def at(self, data: Path | None) -> "Here":
        """The same with another data folder, where one is named."""
        return self if data is None else replace(self, folders=Folders(data.absolute(), self.folders.models))
