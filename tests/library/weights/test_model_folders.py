"""Model folders out of extra_model_paths.yaml: where files are looked for, where they go, what is damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hub import CONTENT, Hub, serving
from support.patience import PATIENCE

from installer import models
from installer.checking import check_models
from installer.folders import Folders, folders_in_use, read_extra_paths
from installer.models import fetch_models, table
from installer.output import Progress, SetupError
from installer.paths import REPOSITORY
from likeness.weights import catalogue as catalogue_module
from likeness.weights import transfer
from likeness.weights.catalogue import ModelFile, catalogue
from likeness.weights.examine import DAMAGED, OK, UNKNOWN, examine


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """What install.py takes for a ComfyUI."""
    folder = tmp_path / "ComfyUI"
    (folder / "comfy").mkdir(parents=True)
    (folder / "main.py").touch()
    return folder


def written(folder: Path, text: str, name: str = "extra_model_paths.yaml") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


# ---- reading the yaml


def test_the_yaml_is_read_as_comfyui_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("DISK", str(tmp_path / "disk"))
    file = written(
        tmp_path,
        f"""
relative:
  base_path: store
  checkpoints: sd/../checkpoints/
  unet: |
    one
    two
home:
  base_path: ~/models
  is_default: true
  loras: loras
variable:
  base_path: $DISK
  clip: te
bare:
  instantid: beside
  controlnet: {(tmp_path / "far").as_posix()}
empty:
""",
    )
    relative, home, variable, bare = read_extra_paths(file)
    store = tmp_path / "store"
    assert relative.folders == (
        ("checkpoints", store / "checkpoints"),
        ("diffusion_models", store / "one"),
        ("diffusion_models", store / "two"),
    )
    assert home.is_default and home.folders == (("loras", tmp_path / "home" / "models" / "loras"),)
    assert variable.folders == (("text_encoders", tmp_path / "disk" / "te"),)
    assert bare.folders == (("instantid", tmp_path / "beside"), ("controlnet", tmp_path / "far"))


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [", "can't be read"),
        ("just words", "holds no sections"),
        ("mine: /models", "mine is no section"),
        ("mine:\n  loras: 3", "mine has no folder but 3 for loras"),
    ],
)
def test_a_broken_yaml_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SetupError, match=message) as caught:
        read_extra_paths(written(tmp_path, text))
    assert "extra_model_paths.yaml" in str(caught.value)


def test_an_empty_yaml_is_none(tmp_path: Path) -> None:
    assert read_extra_paths(written(tmp_path, "# nothing yet\n")) == []


# ---- finding and fetching


def test_files_in_extra_folders_are_there(comfyui: Path, tmp_path: Path) -> None:
    written(
        comfyui, f"disk:\n  base_path: '{tmp_path.as_posix()}/disk'\n  instantid: id\n  insightface: faces\n"
    )
    for place in ("id/ip-adapter.bin", "faces/antelopev2/glintr100.onnx"):
        (tmp_path / "disk" / place).parent.mkdir(parents=True)
        (tmp_path / "disk" / place).touch()
    folders = folders_in_use(comfyui)
    assert folders.find(catalogue()["instantid/ip-adapter"]) == tmp_path / "disk" / "id" / "ip-adapter.bin"
    missing = [file.key for file in models.missing(folders, ["instantid"])]
    assert missing == ["instantid/controlnet", "antelopev2/scrfd_10g_bnkps", "sdxl/base"]
    shown = table(folders)
    assert f"and in disk of extra_model_paths.yaml: {tmp_path / 'disk' / 'id'}" in shown
    assert "instantid: 3 of 5 files missing. To get 9.46 GB: python install.py --models instantid" in shown


def test_the_list_says_sizes_sums_licences_and_places(comfyui: Path) -> None:
    shown = table(folders_in_use(comfyui))
    blocks = {block.split(":")[0]: block for block in shown.split("\n\n")[1:]}
    assert list(blocks) == catalogue_module.methods()
    for file in catalogue().values():
        for method in file.methods:
            (line,) = [
                text for text in blocks[method].splitlines() if file.name in text and file.licence in text
            ]
            state, *facts = line.split()
            assert state == ("there" if file.bundled else "missing")
            assert file.size_text.removeprefix("size ") in line
            assert "unknown" in facts or file.sha256
            assert file.bundled or f"goes to models/{file.place.rpartition('/')[0]}" in line
    assert "pva: 3 of 3 files missing. To get 5.21 GB, and the rest by hand:" in blocks["pva"]
    assert blocks["embedded"].startswith("embedded: 1 of 4 files missing. To get 10.9 MB:")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[ModelFile]]:
    """A catalogue of three small files of one method, and a hub that has them."""
    known = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "methods": ("small",)}
    files = [
        dataclasses.replace(catalogue()[key], **known)
        for key in ("instantid/ip-adapter", "instantid/controlnet", "sdxl/base")
    ]
    entries = {file.key: file for file in files}
    for module in ("installer.models", "likeness.weights.catalogue", "likeness.weights.listing"):
        monkeypatch.setattr(f"{module}.catalogue", lambda: entries)
    monkeypatch.setattr("installer.checking.catalogue", lambda: entries)
    with serving(Hub) as (_, port):
        monkeypatch.setenv("LIKENESS_MIRROR", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield files


def there(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


CONTROLNET = "instantid/diffusion_pytorch_model.safetensors"
CHECKPOINT = "sd_xl_base_1.0.safetensors"


def test_without_a_yaml_files_go_into_models(comfyui: Path, small: list[ModelFile]) -> None:
    folders = folders_in_use(comfyui)
    fetch_models(folders, ["small"], Progress())
    assert there(comfyui / "models") == [
        f"checkpoints/{CHECKPOINT}",
        f"controlnet/{CONTROLNET}",
        "instantid/ip-adapter.bin",
    ]
    assert models.missing(folders, ["small"]) == []


def test_a_default_section_gets_the_files_it_has_folders_for(
    comfyui: Path, tmp_path: Path, small: list[ModelFile]
) -> None:
    disk = tmp_path / "disk"
    written(
        comfyui,
        f"other:\n  checkpoints: {tmp_path.as_posix()}/other\n"
        f"disk:\n  base_path: {disk.as_posix()}\n  is_default: true\n"
        "  checkpoints: ckpts\n  controlnet: cn\n",
    )
    folders = folders_in_use(comfyui)
    fetch_models(folders, ["small"], Progress())
    assert there(disk) == [f"ckpts/{CHECKPOINT}", f"cn/{CONTROLNET}"]
    assert there(comfyui / "models") == ["instantid/ip-adapter.bin"]
    assert models.missing(folders, ["small"]) == []


def test_a_section_can_be_chosen(comfyui: Path, tmp_path: Path, small: list[ModelFile]) -> None:
    file = written(
        tmp_path,
        "disk:\n  base_path: disk\n  checkpoints: |\n    ckpts\n    more\n"
        "  controlnet: cn\n  instantid: id\n",
        "more.yaml",
    )
    fetch_models(folders_in_use(comfyui, [file], "disk"), ["small"], Progress())
    assert there(tmp_path / "disk") == [f"ckpts/{CHECKPOINT}", f"cn/{CONTROLNET}", "id/ip-adapter.bin"]
    assert not (comfyui / "models").exists()


def test_a_section_without_the_folder_is_refused_before_anything_is_fetched(
    comfyui: Path, tmp_path: Path, small: list[ModelFile]
) -> None:
    file = written(tmp_path, "disk:\n  base_path: disk\n  checkpoints: ckpts\n")
    with pytest.raises(
        SetupError, match=r"(?s)names no folder for instantid, controlnet.*instantid: models/"
    ) as e:
        fetch_models(folders_in_use(comfyui, [file], "disk"), ["small"], Progress())
    assert "disk" in str(e.value) and not (tmp_path / "disk").exists()
    with pytest.raises(SetupError, match=r"called dusk\. There are: disk"):
        folders_in_use(comfyui, [file], "dusk")
    with pytest.raises(SetupError, match=r"called disk. No extra_model_paths\.yaml"):
        folders_in_use(comfyui, into="disk")


def test_all_files_must_fit_before_the_first_is_fetched(
    comfyui: Path, small: list[ModelFile], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the three would fit alone. What an earlier run left counts."""
    usage = transfer.shutil.disk_usage(comfyui)._replace(free=25_000_000)
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(SetupError, match=r"25 MB free, but 30.7 MB are needed"):
        fetch_models(Folders(comfyui / "models"), ["small"], Progress())
    assert not (comfyui / "models").exists()
    part = comfyui / "models" / "instantid" / "ip-adapter.bin.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(CONTENT[:-1])
    fetch_models(Folders(comfyui / "models"), ["small"], Progress())
    assert len(there(comfyui / "models")) == 3


def test_what_nobody_offers_is_said_when_the_rest_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = dict(catalogue())
    known = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    entries["sd2/inpainting"] = dataclasses.replace(entries["sd2/inpainting"], **known)
    for module in ("installer.models", "likeness.weights.catalogue"):
        monkeypatch.setattr(f"{module}.catalogue", lambda: entries)
    with serving(Hub) as (hub, port):
        monkeypatch.setenv("LIKENESS_MIRROR", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(SetupError, match=r"FPIP\.bin can't be fetched.*\n.*r50\.pth can't be fetched"):
            fetch_models(Folders(tmp_path), ["pva"], Progress())
    assert (tmp_path / catalogue()["sd2/inpainting"].place).read_bytes() == hub.content


# ---- checking


def test_every_copy_is_checked_wherever_it_lies(
    comfyui: Path, tmp_path: Path, small: list[ModelFile]
) -> None:
    written(comfyui, f"disk:\n  base_path: {tmp_path.as_posix()}/disk\n  instantid: id\n")
    places = {
        tmp_path / "disk" / "id" / "ip-adapter.bin": CONTENT,
        comfyui / "models" / "instantid" / "ip-adapter.bin": CONTENT[:-1] + b"x",
        comfyui / "models" / "controlnet" / CONTROLNET: CONTENT[:-1],
        comfyui / "models" / "checkpoints" / f"{CHECKPOINT}.part": CONTENT,
    }
    for path, content in places.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    said: list[str] = []
    assert not check_models(folders_in_use(comfyui), said.append)
    lines = dict(zip(places, said[1:], strict=False))
    good, other_sum, short, unfinished = lines.items()
    assert good[1].split()[0] == "ok" and str(good[0]) in good[1]
    assert (
        other_sum[1].split()[0] == "damaged"
        and "has the sum" in other_sum[1]
        and str(other_sum[0]) in other_sum[1]
    )
    assert "has 10239999 bytes, expected 10240000" in short[1] and str(short[0]) in short[1]
    assert unfinished[1].split()[0] == "unfinished" and str(unfinished[0]) in unfinished[1]
    assert "1 ok, 2 damaged, 0 unknown, 1 unfinished, 1 missing. What is missing: --list" in said
    assert said[-1] == "Delete the damaged files, then: python install.py --models small"
    assert places == {path: path.read_bytes() for path in places}, "it only reads"


@pytest.mark.parametrize(
    "name, content, state, reason",
    [
        ("x.bin", b"", DAMAGED, "is empty"),
        ("x.bin", b"\n<!DOCTYPE HTML>", DAMAGED, "web page"),
        ("x.bin", b"version https://git-lfs.github.com/spec/v1\n", DAMAGED, "Git LFS pointer"),
        ("x.bin", b"PK\x03\x04 and then nothing", DAMAGED, "ends too early"),
        ("x.safetensors", b"\x08", DAMAGED, "ends too early"),
        ("x.safetensors", struct.pack("<Q", 10**12) + b"{}", DAMAGED, "ends too early"),
        ("x.safetensors", struct.pack("<Q", 2) + b"{}", UNKNOWN, "size and sum are not known"),
        ("x.onnx", b"anything", UNKNOWN, "size and sum are not known"),
    ],
)
def test_without_a_sum_a_file_is_unknown_unless_it_is_plainly_broken(
    tmp_path: Path, name: str, content: bytes, state: str, reason: str
) -> None:
    (tmp_path / name).write_bytes(content)
    unknown = dataclasses.replace(catalogue()["instantid/ip-adapter"], name=name, size=None, sha256=None)
    finding = examine(tmp_path / name, unknown)
    assert finding.state == state and reason in finding.reason
    sized = dataclasses.replace(unknown, size=len(content))
    assert state == DAMAGED or "its sum is not known" in examine(tmp_path / name, sized).reason


def test_the_files_of_the_pack_are_ok_and_the_made_one_has_no_sum() -> None:
    bundled = [file for file in catalogue().values() if file.bundled]
    for file in bundled:
        assert examine(REPOSITORY / "models" / file.place, file).state == OK
    assert catalogue()["embedded/sface"].sha256 is None


# ---- the command


def install(*arguments: str, **settings: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(REPOSITORY / "install.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **settings}, timeout=PATIENCE
    )


def test_check_ends_with_1_only_when_something_is_damaged(comfyui: Path) -> None:
    done = install("--comfyui", str(comfyui), "--check")
    assert done.returncode == 0, done.stderr
    assert "Packages: all there." in done.stdout and "3 ok, 0 damaged, 0 unknown" in done.stdout
    adapter = comfyui / "models" / "instantid" / "ip-adapter.bin"
    adapter.parent.mkdir(parents=True)
    adapter.write_bytes(b"not whole")
    done = install("--comfyui", str(comfyui), "--check")
    assert done.returncode == 1
    assert "ip-adapter.bin: has 9 bytes, expected 1691134141" in done.stdout
    assert "python install.py --models instantid" in done.stdout


def test_a_whole_download_from_the_command_line_into_a_section(comfyui: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "disk:\n  base_path: disk\n  loras: lr\n", "more.yaml")
    header = json.dumps({"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}).encode()
    with serving(Hub) as (hub, port):
        hub.content = struct.pack("<Q", len(header)) + header + bytes(9)
        mirror = {"LIKENESS_MIRROR": "", "HF_ENDPOINT": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.1"}
        options = ["--comfyui", str(comfyui), "--extra-model-paths-config", str(file), "--into", "disk"]
        done = install("--models", "arc2face-reference", *options, HF_TOKEN="hf_secret", **mirror)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "disk/lr/arc2face/pytorch_lora_weights.safetensors").read_bytes() == hub.content
    assert hub.tokens == ["Bearer hf_secret"] and "secret" not in done.stdout + done.stderr
    assert "To get: 1 files, 1 of unknown size." in done.stdout
    listed = install("--comfyui", str(comfyui), "--extra-model-paths-config", str(file), "--list")
    assert "arc2face-reference: all there." in listed.stdout


def test_a_python_without_yaml_says_so(comfyui: Path) -> None:
    written(comfyui, "disk:\n  loras: loras\n")
    code = "import sys, runpy; sys.modules['yaml'] = None; runpy.run_path('install.py', run_name='__main__')"
    command = [sys.executable, "-c", code, "--comfyui", str(comfyui), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=REPOSITORY)
    assert done.returncode == 1 and "takes PyYAML" in done.stderr and "Traceback" not in done.stderr
