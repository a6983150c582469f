"""Fetches a catalogued file: whole, checked, and under its name only then."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

from .catalogue import ModelFile
from .examine import DAMAGED, examine
from .transfer import DownloadError, Report, address, download, ensure_space

__all__ = ["DownloadError", "archive_path", "fetch"]


def fetch(file: ModelFile, folder: Path, report: Report = print) -> Path:
    """Put `file` where it belongs under `folder`, a folder of its kind; nothing is done when it is there.

    folder: `models/instantid` for a file of the kind instantid, or whatever extra_model_paths.yaml names.
    Raises DownloadError. For mirror, token and proxy see transfer.py.
    """
    target = folder / file.inside
    if target.is_file():
        report(f"{file.name} is already there: {target}")
        return target
    if file.by_hand:
        raise DownloadError(
            f"{file.name} can't be fetched: it has to be put into {target.parent} by hand. Licence: "
            f"{file.licence}. From: {file.source}."
        )
    if file.url is None:
        raise DownloadError(
            f"{file.name} is not downloaded but made: python install.py --models {file.methods[0]}"
        )
    report(f"{file.name}: {file.size_text}, licence: {file.licence}, from {file.source}")
    _make_folder(target.parent)
    part = target.with_name(target.name + ".part")
    archive = archive_path(file, folder)
    if archive is None:
        download(address(file.url), part, file.size, report)
    else:
        if not archive.is_file():
            unfinished = archive.with_name(archive.name + ".part")
            _rename(download(address(file.url), unfinished, file.archive_size, report), archive)
        _check_archive(file, archive)
        _unpack(file, archive, part)
    finding = examine(part, file)
    if finding.state == DAMAGED:
        part.unlink()
        if archive is not None:
            archive.unlink()
        raise DownloadError(f"{file.name} {finding.reason}. It was removed; run again.")
    _rename(part, target)
    report(f"{file.name} is in {target.parent}")
    return target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DownloadError(f"{folder} can't be made: {error}") from error


def _rename(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except OSError as error:
        raise DownloadError(
            f"{target} can't be put in place: {error}. The whole file is {part}: rename it, or run again."
        ) from error


def archive_path(file: ModelFile, folder: Path) -> Path | None:
    """Where the archive that holds the file is kept while its members are taken out, or None."""
    if file.member is None or file.url is None:
        return None
    return (folder / file.inside).with_name(file.url.rsplit("/", 1)[-1])


def _check_archive(file: ModelFile, archive: Path) -> None:
    """Raises DownloadError, and removes the archive, when it is not the published one."""
    published = replace(
        file, name=archive.name, size=file.archive_size, sha256=file.archive_sha256, member=None
    )
    finding = examine(archive, published)
    if finding.state == DAMAGED:
        archive.unlink()
        raise DownloadError(f"{archive.name} {finding.reason}. It was removed; run again.")


def _unpack(file: ModelFile, archive: Path, part: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as packed:
            _unpack_member(packed, file, part)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DownloadError(
            f"{part} could not be written: {error}. Make room or mend that, and run the same command again: "
            f"{archive.name} is kept."
        ) from error
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        part.unlink(missing_ok=True)
        archive.unlink()
        raise DownloadError(
            f"{archive.name} holds no sound {file.member}: {error}. It was removed; run the command again."
        ) from error


def _unpack_member(packed: zipfile.ZipFile, file: ModelFile, part: Path) -> None:
    """Take it out, if it is as large as it should be: a few bytes can unpack to more than a disk holds."""
    member = packed.getinfo(file.member or "")
    if file.size is not None and member.file_size != file.size:
        raise zipfile.BadZipFile(f"it would be {member.file_size} bytes, expected {file.size}")
    ensure_space(part.parent, member.file_size)
    with packed.open(member) as source, part.open("wb") as output:
        shutil.copyfileobj(source, output, 1 << 20)
