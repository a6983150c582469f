"""Which tensors the published files hold: names and shapes, out of `keys/`, and where each file belongs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

KEYS = Path(__file__).with_name("keys")
_UNET = KEYS.parents[1] / "data" / "keys_unet_sd15.json"
#: `layers.{0-11}` stands for twelve names, `{1-7/2}` for four.
_COUNTED = re.compile(r"\{(\d+)-(\d+)(?:/(\d+))?\}")

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Layout:
    """One published file. key: in the catalogue. dtype: safetensors' name of what it is stored in.

    nested: a torch archive with the names in dicts by their first part, or flat (""); None: safetensors,
    whose size is fixed to the byte by all this.
    """

    key: str
    shapes: Path
    dtype: str
    nested: tuple[str, ...] | None = None

    def read(self) -> Shapes:
        return read_shapes(self.shapes)

    def bytes_of_numbers(self) -> int:
        return sum(prod(shape) * width(name, self.dtype) for name, shape in self.read().items())


_CONSISTENTID = ("FacialEncoder", "adapter_modules")

LAYOUTS = {
    layout.key: layout
    for layout in (
        Layout("arc2face/unet", _UNET, "F32"),
        Layout("arc2face/pose", KEYS / "controlnet_sd15.json", "F32"),
        Layout("arc2face/encoder", KEYS / "clip_l.json", "F32", ()),
        Layout("instantid/controlnet", KEYS / "controlnet_sdxl.json", "F16"),
        Layout("instantid/ip-adapter", KEYS / "instantid_adapter.json", "F32", ("image_proj", "ip_adapter")),
        Layout("masterweaver/adapter", KEYS / "masterweaver.json", "F32", ("id_encoder", "adapter_modules")),
        Layout("fact/adapter_maj", KEYS / "fact_adapter.json", "F32", ()),
        Layout("fact/transface", KEYS / "fact_transface.json", "F32", ()),
        Layout("wplus/adapter", KEYS / "wplus_adapter.json", "F32", ("w_proj", "wplus_adapter")),
        Layout("wplus/e4e", KEYS / "e4e.json", "F32", ("state_dict",)),
        Layout("consistentid/sd15", KEYS / "consistentid_sd15.json", "F32", ("image_proj", *_CONSISTENTID)),
        Layout(
            "consistentid/sdxl", KEYS / "consistentid_sdxl.json", "F32", ("image_proj_model", *_CONSISTENTID)
        ),
        Layout("emojidiff/clip_vision", KEYS / "clip_vision_h.json", "F32"),
    )
}


def is_counter(name: str) -> bool:
    """Places counted from 0, and how many batches a norm has seen: the only whole numbers in these files."""
    return name.endswith(("position_ids", "num_batches_tracked"))


def width(name: str, dtype: str) -> int:
    """Bytes of one number."""
    return 8 if is_counter(name) else {"F32": 4, "F16": 2}[dtype]


def read_shapes(file: Path) -> Shapes:
    listed: Mapping[str, list[int]] = json.loads(file.read_text(encoding="utf-8"))
    return {name: tuple(shape) for pattern, shape in listed.items() for name in _names(pattern)}


def _names(pattern: str) -> Iterator[str]:
    counted = _COUNTED.search(pattern)
    if counted is None:
        yield pattern
        return
    first, last, step = int(counted[1]), int(counted[2]), int(counted[3] or 1)
    for number in range(first, last + 1, step):
        yield from _names(pattern[: counted.start()] + str(number) + pattern[counted.end() :])
