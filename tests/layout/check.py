"""Loads one file of the published size with the node that takes it, and compares number by number."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from likeness.weights.catalogue import catalogue

from .shapes import Layout, is_counter
from .write import SAMPLE, sample, write

#: What a torch archive holds beside the numbers, at most: names, places, the list of members.
_ARCHIVE = 256 << 10
#: Tensors that a loader makes itself: the file has none of them.
_OWN = ("text_projection", "logit_scale", "position_ids")


def check(layout: Layout, host: Any, models: Path) -> str:
    """What was found, in a line; the file is gone afterwards. Raises AssertionError saying what is wrong."""
    file = catalogue()[layout.key]
    path = models / file.place
    begin = time.perf_counter()
    try:
        write(layout, path)
        size = path.stat().st_size
        _check_size(layout, size, file.size)
        loaded, more = _LOADERS[layout.key](host, path, file.inside)
        count = _compare(layout, loaded)
    finally:
        path.unlink(missing_ok=True)
    return f"{size} bytes, {count} tensors by value{more}, {time.perf_counter() - begin:.0f} s"


def _check_size(layout: Layout, size: int, published: int | None) -> None:
    if layout.nested is None:
        assert size == published, f"{size} bytes, but the published file has {published}"
        return
    if published is None:
        return
    beside = published - layout.bytes_of_numbers()
    assert 0 < beside < _ARCHIVE, f"the published file has {beside} bytes beside these numbers"


def _compare(layout: Layout, loaded: Iterable[torch.Tensor]) -> int:
    """Each tensor of the file is in what was loaded, with its own numbers at both ends.

    In the precision that the host has chosen for it: CLIP vision models are float16 on a CPU.
    """
    found: dict[bytes, torch.Tensor] = {}
    for tensor in loaded:
        flat = tensor.detach().reshape(-1)
        found[_print(flat)] = flat
    for name, shape in layout.read().items():
        if is_counter(name):
            continue
        first, last = sample(name, shape, layout.dtype)
        flat = found.pop(_print(first), None)
        assert flat is not None, f"{name} is not in what was loaded"
        assert flat.numel() == torch.Size(shape).numel(), f"{name} was loaded with {flat.numel()} numbers"
        ends = ((flat[: len(first)], first), (flat[len(flat) - len(last) :], last))
        same = all(torch.equal(there, given.to(there.dtype)) for there, given in ends)
        assert same, f"{name} was loaded with other numbers"
    return len(layout.read())


def _print(flat: torch.Tensor) -> bytes:
    """What a tensor is known by: how it begins, in the least precision that any is loaded in."""
    return flat[:SAMPLE].to("cpu", torch.float16).numpy().tobytes()


def _state(network: Any) -> list[torch.Tensor]:
    state: Mapping[str, torch.Tensor] = network.state_dict()
    return [value for key, value in state.items() if not key.endswith(_OWN)]


def _unet(host: Any, path: Path, _: str) -> tuple[list[torch.Tensor], str]:
    model = host.module("likeness.methods.arc2face.files").load_unet(str(path), path.name)
    kind = type(model.model.model_config).__name__
    assert kind == "SD15", kind
    loaded = _state(model.model.diffusion_model)
    assert len(loaded) == 686, f"{len(loaded)} tensors in the network"
    return loaded, ""


def _encoder(host: Any, path: Path, _: str) -> tuple[list[torch.Tensor], str]:
    clip = host.module("likeness.methods.arc2face.files").load_encoder(str(path), path.name)
    conditioning = clip.encode_from_tokens(clip.tokenize("photo of a id person"))
    assert tuple(conditioning.shape) == (1, 77, 768) and torch.isfinite(conditioning).all()
    return _state(clip.cond_stage_model), ", a prompt of 77 x 768"


def _control_net(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    loader = host.nodes.ControlNetLoader()
    return _state(loader.load_controlnet(name)[0].control_model), ""


def _adapter(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    adapter = host.node("LikenessLoadInstantID").execute(file=name)[0]
    assert len(adapter.layers.pairs) == 70
    somebody = host.module("likeness.values").Identity(torch.randn(1, 512), "glintr100")
    tokens = host.module("likeness.methods.instantid.adapter").identity_tokens(adapter, somebody)
    assert tuple(tokens.shape) == (2, 16, 2048) and torch.isfinite(tokens).all()
    layers = [weight for pair in adapter.layers.pairs for weight in pair]
    return [*_tensors_of(adapter.projector), *layers], ", 70 layers, 16 tokens of 2048"


def _masterweaver(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    adapter = host.node("LikenessLoadMasterWeaver").execute(file=name)[0]
    tokens = adapter.projector(torch.randn(1, 257, 1024))
    assert tuple(tokens.shape) == (1, 16, 768) and torch.isfinite(tokens).all()
    layers = [weight for pair in adapter.layers.pairs for weight in pair]
    return [*_tensors_of(adapter.projector), *layers], ", 16 layers, 16 tokens of 768"


def _fact(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    adapter = host.node("LikenessLoadFACT").execute(file=name)[0]
    tokens = adapter.projector(torch.randn(1, 144, 512))
    assert tuple(tokens.shape) == (1, 16, 768) and torch.isfinite(tokens).all()
    gates = [tensor for layer in adapter.layers.layers for tensor in layer.values()]
    return [*_tensors_of(adapter.projector), *gates], ", 16 layers, 16 tokens of 768"


def _transface(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    encoder = host.node("LikenessLoadTransFace").execute(file=name)[0]
    local = encoder(torch.rand(1, 3, 112, 112))
    assert tuple(local.shape) == (1, 144, 512) and torch.isfinite(local).all()
    return _state(encoder.patcher.model), ", 144 tokens of 512"


def _wplus(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    adapter = host.node("LikenessLoadWPlus").execute(file=name)[0]
    tokens = adapter.projector(torch.randn(1, 18, 512))
    assert tuple(tokens.shape) == (1, 4, 768) and torch.isfinite(tokens).all()
    layers = [weight for pair in adapter.layers.family.pairs for weight in pair]
    loaded = [*_tensors_of(adapter.projector), *layers, *adapter.layers.queries]
    return loaded, ", 16 layers, 4 tokens of 768"


def _e4e(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    """What is loaded lies in the copy that was made; the decoder's absence is no matter."""
    encoder = host.node("LikenessLoadFaceEncoder").execute(file=name)[0]
    copy = path.with_name(f"{path.name}.encoder.safetensors")
    size = copy.stat().st_size
    copy.unlink()
    return _state(encoder.patcher.model), f", kept beside it in {size} bytes"


def _consistentid(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    adapter = host.node("LikenessLoadConsistentID").execute(file=name)[0]
    width = adapter.projector.token_width
    tokens = adapter.projector(torch.randn(1, 512), torch.randn(1, 257, 1280))
    assert tuple(tokens.shape) == (1, 4, width) and torch.isfinite(tokens).all()
    vector = adapter.facial.vectors(torch.randn(1, 257, 1280))
    assert tuple(vector.shape) == (1, width) and torch.isfinite(vector).all()
    layers = [weight for pair in adapter.layers.pairs for weight in pair]
    layers += [half for pair in adapter.loras.pairs.values() for half in pair]
    made = [*_tensors_of(adapter.projector), *_tensors_of(adapter.facial), *layers]
    return made, f", {len(adapter.layers.pairs)} layers, 4 tokens of {width}"


def _tensors_of(value: Any, depth: int = 3) -> list[torch.Tensor]:
    """Every tensor that a value of ours holds, some levels down."""
    if isinstance(value, torch.Tensor):
        return [value]
    if depth == 0:
        return []
    if isinstance(value, Mapping):
        inner: Iterable[Any] = value.values()
    elif isinstance(value, list | tuple):
        inner = value
    else:
        inner = vars(value).values() if hasattr(value, "__dict__") else ()
    return [tensor for each in inner for tensor in _tensors_of(each, depth - 1)]


def _clip_vision(host: Any, path: Path, name: str) -> tuple[list[torch.Tensor], str]:
    vision = host.nodes.CLIPVisionLoader().load_clip(name)[0]
    features = vision.encode_image(torch.rand(1, 64, 64, 3))["penultimate_hidden_states"]
    assert tuple(features.shape) == (1, 257, 1280) and torch.isfinite(features).all()
    return _state(vision.model), ", features 257 x 1280"


_LOADERS = {
    "arc2face/unet": _unet,
    "arc2face/encoder": _encoder,
    "arc2face/pose": _control_net,
    "instantid/controlnet": _control_net,
    "instantid/ip-adapter": _adapter,
    "masterweaver/adapter": _masterweaver,
    "fact/adapter_maj": _fact,
    "fact/transface": _transface,
    "wplus/adapter": _wplus,
    "wplus/e4e": _e4e,
    "consistentid/sd15": _consistentid,
    "consistentid/sdxl": _consistentid,
    "emojidiff/clip_vision": _clip_vision,
}
