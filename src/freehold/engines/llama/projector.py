"""The vision projector of a model: the file through which it sees."""

from pathlib import Path

from freehold.engines.registry import EngineSpec

_PATTERN = "mmproj*.gguf"


def find_projector(spec: EngineSpec, model: Path) -> Path | None:
    """Return the projector of the model in the file `model`; None for one that is to be given text only.

    Without a setting, it is the one projector in a folder that holds no other model. Raises ValueError for settings
    that contradict each other or name no file.
    """
    if spec.projector is not None:
        if spec.vision not in (None, "native"):
            raise ValueError(f"engine {spec.name!r}: it has a projector, and its vision is {spec.vision!r}")
        if len(spec.models) > 1:
            raise ValueError(f"engine {spec.name!r}: a projector belongs to one model; give each an engine of its own")
        path = Path(spec.projector).expanduser().absolute()
        if not path.is_file():
            raise ValueError(f"engine {spec.name!r}: the projector {path} does not exist")
        return path
    if spec.vision not in (None, "native"):
        return None
    beside = sorted(model.parent.glob(_PATTERN))
    models = set(model.parent.glob("*.gguf")) - set(beside)
    if len(beside) == 1 and models <= {model}:
        return beside[0].absolute()
    if spec.vision == "native":
        raise ValueError(f'engine {spec.name!r}: vision = "native" needs the file of a projector')
    return None
