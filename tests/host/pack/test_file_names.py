"""Names of files in workflows that were made on another system."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def other_slashes(base: Path) -> Any:
    """Puts a tiny file into a folder below its kind's, and names it with the other system's slashes."""
    made: list[Path] = []

    def put(kind: str, file: str) -> str:
        folder = base / "models" / kind / "deep" / "folder"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(base / "models" / kind / file, folder / file)
        made.append(folder.parent)
        return f"deep\\folder\\{file}"

    yield put
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    ("node_id", "kind", "file", "name"),
    [
        ("LikenessLoadInstantID", "instantid", "tiny_instantid.safetensors", "file"),
        ("LikenessLoadExpressionAdapter", "ipadapter", "tiny_expression.safetensors", "file"),
        ("LikenessLoadEAdapter", "emojidiff", "tiny_emojidiff_sd15.safetensors", "file"),
        ("LikenessLoadFaceParser", "face_parsing", "tiny_parser.safetensors", "file"),
        ("LikenessLoadPVA", "pva", "tiny_pva.safetensors", "file"),
    ],
)
def test_a_name_with_the_other_slashes_is_found(
    pack: Any, other_slashes: Any, node_id: str, kind: str, file: str, name: str
) -> None:
    node, other = pack.node(node_id), other_slashes(kind, file)
    loaded = node.execute(**{name: other})[0]
    assert loaded is not None
    same = node.fingerprint_inputs(**{name: other})
    assert same == node.fingerprint_inputs(**{name: other.replace("\\", "/")}) != "missing"


def test_the_other_inputs_that_name_files(pack: Any, base: Path, other_slashes: Any) -> None:
    encoder = other_slashes("smirk", "tiny_smirk.safetensors")
    assert "missing" not in pack.node("LikenessReadExpression").fingerprint_inputs(encoder=encoder)
    person = other_slashes("pva", "tiny_pva_person.safetensors")
    loaded = pack.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors", person_file=person)[0]
    assert loaded.person is not None
    lora = other_slashes("loras", "tiny_reference.safetensors")
    assert "missing" not in pack.node("LikenessApplyReference").fingerprint_inputs(lora=lora)
    unet = other_slashes("diffusion_models", "tiny_arc2face.safetensors")
    clip = other_slashes("text_encoders", "tiny_arc2face_encoder.safetensors")
    assert len(tuple(pack.node("LikenessLoadArc2Face").execute(unet_file=unet, encoder_file=clip).args)) == 2


def test_an_identity_saved_with_one_slash_is_loaded_with_the_other(pack: Any, base: Path) -> None:
    import torch

    somebody = pack.module("likeness.values").Identity(torch.ones(1, 512), "sface")
    pack.node("LikenessSaveIdentity").execute(identity=somebody, filename_prefix="far\\away\\anna")
    (path,) = (base / "models" / "identities" / "far" / "away").iterdir()
    for name in (f"far\\away\\{path.name}", f"far/away/{path.name}"):
        assert pack.node("LikenessLoadIdentity").execute(file=name)[0].recogniser == "sface"


def test_a_missing_file_of_the_published_name_is_explained_in_both_spellings(pack: Any) -> None:
    for name in ("SDXL\\ip-adapter.bin", "SDXL/ip-adapter.bin"):
        with pytest.raises(FileNotFoundError) as caught:
            pack.node("LikenessLoadInstantID").execute(file=name)
        said = str(caught.value)
        assert said.startswith("ip-adapter.bin is missing. Searched: ")
        assert str(Path("models", "instantid", "SDXL")) in said, "where ComfyUI-Manager puts it"


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("a:b", "'a:b' holds ':'"),
        ("con", "Windows keeps the name 'con'"),
        ("x" * 300, "has 300 bytes, and 200 are the most"),
        ("../x", "leads out of"),
        ("link/x", "leads out of .*: a folder of it is a link to"),
        ("file/x", r"the folder .*file can't be made"),
    ],
)
def test_a_bad_prefix_is_told_by_both_savers(
    pack: Any, base: Path, tmp_path: Path, prefix: str, says: str
) -> None:
    import torch

    somebody = pack.module("likeness.values").Identity(torch.ones(1, 512), "sface")
    pva = pack.node("LikenessLoadPVA").execute(file="tiny_pva.safetensors")[0]
    for kind in ("identities", "pva"):
        folder = base / "models" / kind
        folder.mkdir(exist_ok=True)
        if not (folder / "link").exists():
            (folder / "link").symlink_to(tmp_path, target_is_directory=True)
            (folder / "file").touch()
    try:
        for node_id, inputs in (
            ("LikenessSaveIdentity", {"identity": somebody}),
            ("LikenessSavePVA", {"pva": pva}),
        ):
            with pytest.raises(ValueError, match=rf"^filename_prefix .*{says}"):
                pack.node(node_id).execute(filename_prefix=prefix, **inputs)
        assert list(tmp_path.iterdir()) == []
    finally:
        for kind in ("identities", "pva"):
            (base / "models" / kind / "link").unlink()
            (base / "models" / kind / "file").unlink()
