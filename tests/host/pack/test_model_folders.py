"""install.py knows, without starting ComfyUI, where ComfyUI and the pack look for models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from installer.folders import Folders, read_extra_paths
from likeness.weights.catalogue import catalogue

_YAML = """
first:
  base_path: $SOMEWHERE/store
  checkpoints: ckpts
  instantid: |
    a
    b
  unet: |
    one
    two
  insightface: faces
second:
  base_path: ~/disk
  is_default: true
  checkpoints: |
    ckpts
    more
  controlnet: cn
  instantid: c
  clip: te/../te
  pva: pva
  loras: loras
third:
  is_default: true
  checkpoints: beside/ckpts
  smirk: smirk
  pva: other
  controlnet: MODELS/t2i_adapter
fourth:
  base_path: relative
  checkpoints: ckpts
  loras: |
    loras
    loras
"""


def test_folders_are_searched_in_the_hosts_order(
    pack: Any, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import folder_paths
    from utils.extra_config import load_extra_path_config

    models = base / "models"
    for name, value in {"SOMEWHERE": tmp_path / "some", "HOME": tmp_path, "USERPROFILE": tmp_path}.items():
        monkeypatch.setenv(name, str(value))
    yaml = tmp_path / "extra.yaml"
    yaml.write_text(_YAML.replace("MODELS", models.as_posix()), encoding="utf-8")
    files = pack.module("likeness.host.files")
    # As the host is before it has read a yaml and loaded the pack.
    known = folder_paths.folder_names_and_paths.items()
    fresh = {
        kind: (list(paths), endings) for kind, (paths, endings) in known if kind not in files.MODEL_FOLDERS
    }
    monkeypatch.setattr(folder_paths, "folder_names_and_paths", fresh)
    load_extra_path_config(str(yaml))
    kinds = sorted({file.folder for file in catalogue().values() if not file.bundled})
    asked = {kind: files.model_folders(kind) for kind in kinds}

    folders = Folders(models, tuple(read_extra_paths(yaml)))
    assert {kind: [str(folder) for folder in folders.of(kind)] for kind in kinds} == asked
    # Where a default section counts, downloads go where the host looks first.
    for kind in ("checkpoints", "controlnet", "text_encoders", "loras"):
        assert str(folders.target(kind)) == asked[kind][0]
    assert folders.target("instantid") == tmp_path / "disk" / "c"
    assert folders.target("insightface") == models / "insightface"
