"""Packages that a benchmark reads: fetched by pip and npm into the user's cache, once, in pinned versions."""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path.home() / ".cache" / "freehold-benches"


def installed(name: str, *packages: str) -> Path:
    """Install Python packages, without what they depend on, and return the folder to import them from."""

    def fetch(folder: Path) -> None:
        _run([*_pip("install"), "--target", str(folder), *packages])

    return _once(name, fetch)


def python_source(package: str) -> Path:
    """Unpack the source archive of a Python package, `name==version`, and return its folder."""

    def fetch(folder: Path) -> None:
        _run([*_pip("download"), "--no-binary", ":all:", "--dest", str(folder), package])
        _unpack(folder)

    return _once(package.replace("==", "-"), fetch)


def npm_package(package: str) -> Path:
    """Unpack an npm package, `name@version`, and return its folder."""

    def fetch(folder: Path) -> None:
        _run(["npm", "pack", "--silent", "--pack-destination", str(folder), package])
        _unpack(folder)

    return _once(package.replace("/", "-"), fetch)


def _pip(command: str) -> list[str]:
    return [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", "--no-deps"]


def _once(name: str, fetch: Callable[[Path], None]) -> Path:
    """Return the cached folder; it gets its name when everything is in it."""
    folder = CACHE / name
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as made:
            begun = Path(made) / name
            begun.mkdir()
            fetch(begun)
            begun.rename(folder)
    return folder


def _unpack(folder: Path) -> None:
    (archive,) = (path for path in folder.iterdir() if path.suffixes[-1] in (".tgz", ".gz"))
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    archive.unlink()


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
