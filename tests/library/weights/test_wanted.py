"""Which files a graph reads, and which of them the page's own dialog of missing models can get."""

from __future__ import annotations

import re

import pytest

from likeness.weights.catalogue import catalogue
from likeness.weights.wanted import FOLDERS, file_of, files_of_prompt, not_commercial, page_entry
from tools import node_sockets
from tools.ui_workflow import WORKFLOWS, api_files, read

NAMES = sorted(api_files())
#: What the user makes, saves or brings: no list of ours has it.
OWN = {"LikenessLoadCast", "LikenessLoadIdentity", "LikenessLoadWPlusCode", "LikenessLoadAttribute"}
FOREIGN = {"majicmixRealistic_v6.safetensors", "anna.safetensors", "emojidiff_sdxl.safetensors"}


def prompt(**pack: str) -> dict:
    embed = {"class_type": "LikenessEmbedFaces", "inputs": {"recogniser": pack.pop("recogniser", "")}}
    return {"1": {"class_type": "LikenessLoadFaceModels", "inputs": pack}, "2": embed}


@pytest.mark.parametrize("name", NAMES)
def test_every_file_that_a_template_names_is_known(name: str) -> None:
    for node in read(api_files()[name]).values():
        for widget, value in node["inputs"].items():
            names_file = isinstance(value, str) and re.search(r"\.(safetensors|bin|pth?|ckpt|json)$", value)
            if names_file and node["class_type"] not in OWN and value not in FOREIGN:
                assert file_of(node["class_type"], widget, value), f"{node['class_type']}: {value}"


@pytest.mark.parametrize("name", NAMES)
def test_templates_tell_the_page_s_dialog_what_it_can_get(name: str) -> None:
    for node in read(WORKFLOWS / f"{name}.json")["nodes"]:
        for entry in node["properties"].get("models", []):
            assert entry["name"] in node["widgets_values"], "the page looks for the widget's value"
            (file,) = [f for f in catalogue().values() if f.url == entry["url"]]
            assert (entry["directory"], entry["hash"], entry["hash_type"]) == (
                file.folder,
                file.sha256,
                "SHA256",
            )
            assert not file.subpath
        told = {entry["name"] for entry in node["properties"].get("models", [])}
        wanted = [f for w in node["widgets_values"] for f in catalogue().values() if f.name == w]
        assert {f.name for f in wanted if page_entry(f)} == told


def test_what_the_dialog_can_t_get_is_left_to_our_panel() -> None:
    keys = {key for key, file in catalogue().items() if page_entry(file)}
    assert keys == {"sdxl/base", "sd15/checkpoint", "sd2/inpainting"}
    # An ending, a folder inside, another name at the address, another host.
    for key in ("instantid/ip-adapter", "instantid/controlnet", "emojidiff/clip_vision", "smirk/em1"):
        assert page_entry(catalogue()[key]) is None


def test_of_a_face_pack_the_recognisers_that_are_named() -> None:
    def keys(**how: str) -> list[str]:
        return [file.key for file in files_of_prompt(prompt(**how))]

    detector = "antelopev2/scrfd_10g_bnkps"
    assert keys(pack="antelopev2", recogniser="arc2face") == [detector, "arc2face/arcface"]
    assert keys(pack="antelopev2", recogniser="other than the identity's") == [
        detector,
        "antelopev2/glintr100",
    ]
    assert keys(pack="antelopev2") == [detector]
    assert keys(pack="embedded", recogniser="sface") == ["embedded/sface"]
    assert keys(pack="no such pack") == []


def test_a_whole_graph() -> None:
    assert [file.key for file in files_of_prompt(read(api_files()["instantid_basic"]))] == [
        "antelopev2/scrfd_10g_bnkps",
        "antelopev2/glintr100",
        "sdxl/base",
        "instantid/controlnet",
        "instantid/ip-adapter",
    ]


def test_values_from_another_system_and_values_that_are_links() -> None:
    file = file_of("ControlNetLoader", "control_net_name", r"instantid\diffusion_pytorch_model.safetensors")
    assert file is catalogue()["instantid/controlnet"]
    assert file_of("LikenessLoadInstantID", "file", ["4", 0]) is None
    assert file_of("LikenessLoadInstantID", "file", "mine.safetensors") is None
    unet = file_of("LikenessLoadArc2Face", "unet_file", "arc2face/diffusion_pytorch_model.safetensors")
    assert unet is catalogue()["arc2face/unet"]
    assert (
        files_of_prompt({"1": {"class_type": "LikenessLoadPVA", "inputs": {}}})[0].key == "pva/face_encoder"
    )


def test_which_files_are_asked_for_separately() -> None:
    asked = {key for key, file in catalogue().items() if not_commercial(file)}
    assert {"antelopev2/glintr100", "buffalo_l/w600k_r50", "arc2face/unet", "wplus/adapter"} <= asked
    free = {
        "instantid/ip-adapter",
        "instantid/controlnet",
        "sdxl/base",
        "auraface/glintr100",
        "embedded/sface",
    }
    assert not asked & free
    assert len(asked) == 16


def test_the_table_names_nodes_and_widgets_that_there_are() -> None:
    sockets = node_sockets.load()
    for class_type, widget in FOLDERS:
        assert widget in {one.name for one in sockets[class_type].widgets}, (class_type, widget)
