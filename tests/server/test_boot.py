"""The server boots with the pack in an oddly named folder, runs prompts and tells what went wrong."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from installer.server import Server, ServerError
from installer.tiny import CHECKPOINT


def plain_prompt(seed: int = 1) -> dict:
    """A picture of the tiny SDXL without any node of ours."""

    def text(words: str) -> dict:
        return {"class_type": "CLIPTextEncode", "inputs": {"clip": ["1", 1], "text": words}}

    sampler = {
        "seed": seed,
        "steps": 2,
        "cfg": 5.0,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1.0,
    }
    links = {"model": ["1", 0], "positive": ["2", 0], "negative": ["3", 0], "latent_image": ["4", 0]}
    latent = {"width": 128, "height": 128, "batch_size": 1}
    return {
        "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": CHECKPOINT}},
        "2": text("a face"),
        "3": text(""),
        "4": {"class_type": "EmptyLatentImage", "inputs": latent},
        "5": {"class_type": "KSampler", "inputs": {**sampler, **links}},
        "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
        "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "boot"}},
    }


def test_every_node_of_the_pack_is_served(server: Server) -> None:
    served = [name for name in server.object_info() if name.startswith("Likeness")]
    assert "LikenessApplyInstantID" in served
    assert "IMPORT FAILED" not in server.log_path.read_text(encoding="utf-8", errors="replace")


def test_a_prompt_gives_a_picture_and_tells_its_events(server: Server) -> None:
    events: list[str] = []
    entry = server.run(plain_prompt(), on_event=lambda kind, data: events.append(kind))
    picture = Image.open(io.BytesIO(server.image(entry["outputs"]["7"]["images"][0])))
    assert picture.size == (128, 128)
    assert "executing" in events and events[-1] == "execution_success"


def test_an_uploaded_picture_can_be_loaded(server: Server) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 10), (255, 0, 0)).save(buffer, "PNG")
    name = server.upload(buffer.getvalue(), "red.png")
    entry = server.run(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": name}},
            "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
        }
    )
    picture = Image.open(io.BytesIO(server.image(entry["outputs"]["2"]["images"][0])))
    assert picture.size == (20, 10)
    assert picture.convert("RGB").getpixel((3, 3)) == (255, 0, 0)


def test_a_refused_prompt_names_node_and_fault(server: Server) -> None:
    prompt = plain_prompt()
    prompt["1"]["inputs"]["ckpt_name"] = "nowhere.safetensors"
    with pytest.raises(ServerError, match=r"node 1 \(CheckpointLoaderSimple\).*nowhere\.safetensors"):
        server.run(prompt)


def test_a_failing_node_is_named(server: Server) -> None:
    name = server.upload(b"this is no picture", "broken.png")
    prompt = {
        "1": {"class_type": "LoadImage", "inputs": {"image": name}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }
    with pytest.raises(ServerError, match=r"node 1 \(LoadImage\) failed: .*UnidentifiedImageError"):
        server.run(prompt)
