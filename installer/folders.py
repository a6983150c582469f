"""The folders in which ComfyUI looks for models, extra_model_paths.yaml included, without starting it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from likeness.weights.catalogue import ModelFile
from likeness.weights.find import find_copies

from .output import SetupError
from .paths import is_comfyui, shared_models, surrounding_comfyui

EXTRA_PATHS = "extra_model_paths.yaml"
#: Kinds that ComfyUI itself knows, with their folders. Other kinds are added by the pack, after the yaml's.
_OF_THE_HOST = {
    "checkpoints": ("checkpoints",),
    "controlnet": ("controlnet", "t2i_adapter"),
    "diffusion_models": ("unet", "diffusion_models"),
    "loras": ("loras",),
    "text_encoders": ("text_encoders", "clip"),
}
_OLD_NAMES = {"unet": "diffusion_models", "clip": "text_encoders"}


@dataclass(frozen=True)
class Section:
    """A part of extra_model_paths.yaml: its folders in order, each (kind, folder)."""

    name: str
    is_default: bool
    folders: tuple[tuple[str, Path], ...]

    def first(self, kind: str) -> Path | None:
        return next((folder for name, folder in self.folders if name == kind), None)


@dataclass(frozen=True)
class Folders:
    """models is ComfyUI's models folder; into is the section that downloads go to, if one was chosen."""

    models: Path
    sections: tuple[Section, ...] = ()
    into: Section | None = None

    def of(self, kind: str) -> list[Path]:
        """Where files of a kind are looked for, in ComfyUI's order."""
        own = [self.models / name for name in _OF_THE_HOST.get(kind, ())]
        found = list(own)
        for section in self.sections:
            for name, folder in section.folders:
                if name != kind:
                    continue
                # ComfyUI puts each line of a default section in front, so the last of several is first. A
                # kind that it meets in the yaml is not moved: it makes the list with the first line.
                if section.is_default and found:
                    found = [folder, *(other for other in found if other != folder)]
                elif folder not in found:
                    found.append(folder)
        last = self.models / kind
        return found if last in found else [*found, last]

    def target(self, kind: str) -> Path:
        """Where a file of a kind is put: the chosen section, else a default one, else models/KIND."""
        if self.into is not None:
            return self.into.first(kind) or self.models / kind
        pairs = [pair for section in self.sections if section.is_default for pair in section.folders]
        default = {folder for name, folder in pairs if name == kind}
        return next((folder for folder in self.of(kind) if folder in default), self.models / kind)

    def find(self, file: ModelFile) -> Path | None:
        """The file that the pack would use; None when missing."""
        return next(iter(self.copies(file)), None)

    def copies(self, file: ModelFile) -> list[Path]:
        return find_copies(file, self.of(file.folder))

    def require(self, files: Sequence[ModelFile]) -> None:
        """Raises SetupError when the chosen section has no folder for one of the files."""
        if self.into is None:
            return
        absent = [kind for kind in dict.fromkeys(file.folder for file in files) if not self.into.first(kind)]
        if absent:
            lines = "\n".join(f"     {kind}: models/{kind}/" for kind in absent)
            raise SetupError(
                f"The section {self.into.name} names no folder for {', '.join(absent)}, so ComfyUI would not "
                f"find the files. Add to it, with the folders you want:\n{lines}"
            )

    def describe(self) -> str:
        lines = [f"Models in {self.models}"]
        for section in self.sections:
            folders = list(dict.fromkeys(str(folder) for _, folder in section.folders))
            default = ", where downloads go" if section.is_default and self.into is None else ""
            lines.append(f"and in {section.name} of {EXTRA_PATHS}{default}: {', '.join(folders)}")
        return "\n".join(lines) + ":"


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


def folders_in_use(chosen: Path | None, more: Sequence[Path] = (), into: str | None = None) -> Folders:
    """As models_folder, with the yaml beside ComfyUI and `more` yaml files. Raises SetupError.

    into: the name of the section to which downloads go.
    """
    models = models_folder(chosen)
    host = chosen or surrounding_comfyui()
    beside = host / EXTRA_PATHS if host else None
    files = [*([beside] if beside and beside.is_file() else []), *more]
    sections = tuple(section for file in files for section in read_extra_paths(file))
    if into is None:
        return Folders(models, sections)
    # Files that name the same section are one to whoever asks for it by name.
    named = [section for section in sections if section.name == into]
    if not named:
        there = ", ".join(section.name for section in sections)
        where = f"There are: {there}." if there else f"No {EXTRA_PATHS} with a section was found."
        raise SetupError(f"No section of {EXTRA_PATHS} is called {into}. {where}")
    joined = tuple(pair for section in named for pair in section.folders)
    return Folders(models, sections, Section(into, False, joined))


def read_extra_paths(file: Path) -> list[Section]:
    """The sections of an extra_model_paths.yaml, read as ComfyUI reads it. Raises SetupError."""
    try:
        yaml = importlib.import_module("yaml")
    except ModuleNotFoundError as error:
        raise SetupError(
            f"Reading {file} takes PyYAML, which this Python lacks. Run install.py with ComfyUI's "
            "Python, which has it, or: pip install pyyaml"
        ) from error
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise SetupError(f"{file} can't be read: {error}") from error
    if content is None:
        return []
    if not isinstance(content, dict):
        raise SetupError(f"{file} holds no sections with folders, as {EXTRA_PATHS}.example of ComfyUI does.")
    return [_section(file, str(name), facts) for name, facts in content.items() if facts is not None]


def _section(file: Path, name: str, facts: Any) -> Section:
    if not isinstance(facts, dict):
        raise SetupError(f"{file}: {name} is no section. Below it belong lines such as `loras: DIR`.")
    beside = file.absolute().parent
    base = facts.get("base_path")
    if base is not None:
        base = beside / os.path.expandvars(os.path.expanduser(str(base)))
    folders = []
    for kind, lines in facts.items():
        if kind in ("base_path", "is_default"):
            continue
        if not isinstance(lines, str):
            raise SetupError(f"{file}: {name} has no folder but {lines!r} for {kind}.")
        for line in filter(None, lines.split("\n")):
            folder = Path(os.path.normpath((base or beside) / line))
            folders.append((_OLD_NAMES.get(str(kind), str(kind)), folder))
    return Section(name, bool(facts.get("is_default", False)), tuple(folders))
