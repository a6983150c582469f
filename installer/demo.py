"""`--demo`: a person of the drawn world drawn again by a method, or, with the real weights, a photo's person.

Both run in a real ComfyUI. Without real weights and without the drawn world's networks a photo goes through
the workflow with tiny networks, whose picture is noise.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from likeness.weights.catalogue import ModelFile, catalogue, face_packs

from . import tiny
from .environment import Environment, ensure
from .folders import Folders
from .models import EMBEDDED, fetch_models, missing
from .output import Progress, SetupError
from .paths import REPOSITORY, cache_root, link_folder
from .server import Server, ServerError

WORKFLOW = REPOSITORY / "workflows" / "api" / "instantid_basic.json"
FOLDER = REPOSITORY / "demo"
PACK = "likeness"
#: Node class -> the picture it leaves in demo/. A picture node is told by the node it shows.
PICTURES = {
    "LikenessDrawFaces": "faces.png",
    "LikenessFaceKeypoints": "keypoints.png",
    "VAEDecode": "picture.png",
}
_NOISE = """
picture.png is noise by design: the tiny checkpoints hold random numbers. The graph, the face that was
found and its points are real. For real pictures fetch the weights (about 11 GB) and run the demo again:
  python install.py --models instantid"""
_REAL = """
For pictures of a photo's person fetch the weights (about 11 GB) and run the demo again:
  python install.py --models instantid"""
#: The drawn world's networks, and which of them the demo cannot do without.
DRAWN = REPOSITORY / "models" / "drawn"
DRAWN_NEEDS = ("autoencoder", "recogniser", "judge", "classifier", "parser", "sdxl", "instantid")
_TIMEOUT = 4 * 3600.0  # real weights on a CPU take long


@dataclass
class Report:
    """What report.json holds."""

    weights: str
    models: list[dict[str, str]]
    stages: dict[str, float] = field(default_factory=dict)
    nodes: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        yield
        self.stages[name] = round(time.monotonic() - begin, 3)


def demo(
    progress: Progress, chosen: Path | None, models: Path, fresh: bool = False, method: str = ""
) -> None:
    """Run it. chosen is another ComfyUI than the environment's own; method: in the drawn world, "" for
    InstantID with the real weights where they are. Raises SetupError."""
    if not WORKFLOW.is_file():
        raise SetupError(f"{WORKFLOW} is missing: get a complete copy of the pack.")
    begin = time.monotonic()
    environment = ensure(progress, fresh)
    fetch_models(Folders(models), [EMBEDDED], progress, environment.python)
    comfyui = chosen or environment.comfyui
    real = not missing(Folders(models), ["instantid"]) and not method
    if not real and (method or drawn_world()):
        _draw_world(environment, comfyui, method, progress)
        return
    report = Report("real" if real else "tiny", _models_used(real, models))
    report.stages["environment"] = round(time.monotonic() - begin, 3)
    prompt = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    if not real:
        prompt = tiny.for_tiny(prompt)
    with report.stage("tiny checkpoints"):
        folder = None if real else tiny.ensure_tiny(environment.python, comfyui)
    with report.stage("photo"):
        photo = _photo(environment.python)
    FOLDER.mkdir(exist_ok=True)
    for name in (*PICTURES.values(), "report.json"):
        (FOLDER / name).unlink(missing_ok=True)
    server = _server(environment, comfyui, models, folder)
    progress.say("Starting ComfyUI ...")
    try:
        with report.stage("server start"):
            server.start()
        generate(server, prompt, photo, FOLDER, report, progress)
    except (ServerError, OSError) as error:
        raise SetupError(f"{error}\n\nComfyUI's whole log is in {server.log_path}") from error
    finally:
        server.stop()
    (FOLDER / "report.json").write_text(json.dumps(vars(report), indent=2) + "\n", encoding="utf-8")
    _tell(progress, report, real)


def drawn_world() -> bool:
    """Whether this copy has networks of the drawn world that can draw a person."""
    return all((DRAWN / f"{name}.safetensors").is_file() for name in DRAWN_NEEDS)


def _draw_world(environment: Environment, comfyui: Path, method: str, progress: Progress) -> None:
    """The proving ground's own demo, in the environment's Python. Raises SetupError when it fails."""
    progress.say("No real weights: drawing in the drawn world (portraits by formula).")
    command = [str(environment.python), "-m", "proof", "world", "demo", "--into", str(FOLDER)]
    variables = {**os.environ, "LIKENESS_COMFYUI": str(comfyui), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *([method] if method else [])], cwd=REPOSITORY, env=variables)
    if done.returncode:
        raise SetupError("The demo of the drawn world did not end well: its last lines say why.")
    progress.say(f"Done. In {FOLDER}:")
    print("  drawn_world.png  the reference, what was drawn of it, and how like it is")
    print("  picture_*.png    the pictures by themselves")
    print("  report.json      the judge's numbers and times")
    print(_REAL)


def _server(environment: Environment, comfyui: Path, models: Path, folder: Path | None) -> Server:
    base = _base_directory()
    link_folder(REPOSITORY, base / "custom_nodes" / PACK)
    packs, extra = [PACK], None
    if folder is not None:
        link_folder(tiny.PACK, base / "custom_nodes" / tiny.PACK.name)
        packs.append(tiny.PACK.name)
        extra = tiny.extra_paths(folder, base / "tiny_model_paths.yaml")
    models.mkdir(parents=True, exist_ok=True)
    cpu = folder is not None or not _graphics_card()
    return Server(
        environment.python,
        comfyui,
        base,
        packs,
        models=models,
        extra_paths=extra,
        cpu=cpu,
        one_thread=folder is not None,
    )


def _base_directory() -> Path:
    """ComfyUI's base directory for this clone. Not in demo/: a link to the clone inside the clone nests."""
    clone = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:12]
    return cache_root() / "demo" / clone


def _graphics_card() -> bool:
    """Whether the torch of our recipe can use one; asking torch itself would take seconds."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    tool = shutil.which("nvidia-smi")
    return tool is not None and subprocess.run([tool, "-L"], capture_output=True).returncode == 0


def generate(
    server: Server, prompt: dict[str, Any], photo: bytes, folder: Path, report: Report, progress: Progress
) -> None:
    """Upload the photo, run the prompt, save its pictures and fill the report. Raises ServerError."""
    with report.stage("upload"):
        name = server.upload(photo, "astronaut.png")
    for node in prompt.values():
        if node["class_type"] == "LoadImage":
            node["inputs"]["image"] = name
    watch = _NodeTimes(prompt, progress)
    progress.say("The photo is uploaded; running the InstantID workflow:")
    with report.stage("workflow"):
        entry = server.run(prompt, _TIMEOUT, watch)
    report.nodes = watch.rows
    with report.stage("pictures"):
        _save_pictures(server, prompt, entry, folder)


def _photo(python: Path) -> bytes:
    """A public-domain portrait that comes with scikit-image, as PNG."""
    code = "import sys, skimage.data; from PIL import Image; "
    code += "Image.fromarray(skimage.data.astronaut()).save(sys.stdout.buffer, 'PNG')"
    done = subprocess.run([str(python), "-c", code], capture_output=True)
    if done.returncode:
        raise SetupError(
            f"The photo of scikit-image could not be read: {done.stderr.decode(errors='replace')[-500:]}"
        )
    return done.stdout


class _NodeTimes:
    """Listens to the server and times each node."""

    def __init__(self, prompt: dict[str, Any], progress: Progress) -> None:
        self._prompt = prompt
        self._progress = progress
        self._node: str | None = None
        self._begin = 0.0
        self.rows: list[dict[str, Any]] = []

    def __call__(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "executing":
            self._next(data.get("node"))
        elif kind == "progress" and data.get("max", 0) > 1:
            self._progress.say(f"    step {data['value']} of {data['max']}")
        elif kind in ("execution_success", "execution_error"):
            self._next(None)

    def _next(self, node: str | None) -> None:
        now = time.monotonic()
        if self._node is not None:
            kind = self._prompt[self._node]["class_type"]
            seconds = round(now - self._begin, 3)
            self.rows.append({"node": self._node, "class_type": kind, "seconds": seconds})
            self._progress.say(f"  {kind}: {seconds:.2f} s")
        self._node, self._begin = node, now


def _save_pictures(server: Server, prompt: dict[str, Any], entry: dict[str, Any], folder: Path) -> None:
    saved = set()
    for node, output in entry["outputs"].items():
        shown = next((v for v in prompt[node]["inputs"].values() if isinstance(v, list)), None)
        name = PICTURES.get(prompt[shown[0]]["class_type"]) if shown else None
        if name and output.get("images"):
            (folder / name).write_bytes(server.image(output["images"][0]))
            saved.add(name)
    absent = sorted(set(PICTURES.values()) - saved)
    if absent:
        raise ServerError(f"The workflow ran but shows no picture for {', '.join(absent)}.")


def _models_used(real: bool, models: Path) -> list[dict[str, str]]:
    if real:
        keys = [file.key for file in catalogue().values() if "instantid" in file.methods]
        return [_row(catalogue()[key], Folders(models).find(catalogue()[key])) for key in keys]
    pack = face_packs()[EMBEDDED]
    keys = [pack.detector, *pack.recognisers.values()]
    rows = [_row(catalogue()[key], Folders(models).find(catalogue()[key])) for key in keys]
    made = "random numbers, made on this machine; no licence applies"
    names = (f"checkpoints/{tiny.CHECKPOINT}", f"controlnet/{tiny.CHECKPOINT}", f"instantid/{tiny.INSTANTID}")
    return rows + [{"name": name, "licence": made, "source": "likeness tests/tiny"} for name in names]


def _row(file: ModelFile, path: Path | None) -> dict[str, str]:
    return {"name": file.name, "licence": file.licence, "source": file.source, "path": str(path)}


def _tell(progress: Progress, report: Report, real: bool) -> None:
    progress.say(f"Done. In {FOLDER}:")
    print("  picture.png     the generated picture")
    print("  faces.png       the face that was found in the photo")
    print("  keypoints.png   the five points that steer the pose")
    print("  report.json     times of every step, models and licences")
    if not real:
        print(_NOISE)
