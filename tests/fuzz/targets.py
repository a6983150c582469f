"""One target per reader: bytes go in; the reader reads them or says in a sentence what is wrong with them.

Anything else it raises is a bug. Targets that take the content of a file (`instantid`, `pva`, ...) draw
their changes of a sound content from the bytes, which are a seed then.
"""

from __future__ import annotations

import io
import json
import random
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from fuzz.mutate import mutate_bytes, mutate_content

#: What messages about a file must name.
NAME = "fuzzed"


@dataclass(frozen=True)
class Target:
    """read: the reader under test; what it says when it refuses must hold `names`.

    seeds: sound inputs. rounds: how many changes the test command tries.
    """

    read: Callable[[bytes], object]
    seeds: Callable[[], tuple[bytes, ...]]
    names: str
    rounds: int

    def __call__(self, data: bytes) -> bool:
        """Whether the data was read. Raises whatever is not a sentence about them."""
        try:
            self.read(data)
        except ValueError as error:
            sentence = str(error)
            if type(error) in (ValueError, *_own()) and self.names in sentence and " " in sentence:
                return False
            raise
        return True

    def changed(self, draw: random.Random) -> bytes:
        return mutate_bytes(draw.choice(self.seeds()), draw)


@lru_cache
def _own() -> tuple[type, ...]:
    from likeness.faces.sessions import BrokenModel

    return (BrokenModel,)


# ---- whole files


def _from_file(read: Callable[[str], object], ending: str) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / (NAME + ending)
            path.write_bytes(data)
            return read(str(path))

    return run


def _weights(path: str) -> object:
    from likeness.weights.read import read_weights

    content, metadata = read_weights(path)
    return [value.float().sum() for value in content.values() if isinstance(value, torch.Tensor)], metadata


def _identity(path: str) -> object:
    from likeness.identity import load_people

    return load_people(path)


def _onnx(path: str) -> object:
    from likeness.faces.sessions import open_session

    return open_session(Path(path), "CPUExecutionProvider")


@lru_cache
def _safetensors_seed() -> tuple[bytes, ...]:
    from safetensors.torch import save

    return (save({"a": torch.ones(3, 4), "b.c": torch.zeros(2).half()}, {"recogniser": "glintr100"}),)


@lru_cache
def _pickle_seeds() -> tuple[bytes, ...]:
    content = {"image_proj": {"a": torch.ones(3, 4)}, "ip_adapter": {"b": torch.zeros(2).half()}}
    seeds = []
    for zipped in (True, False):
        buffer = io.BytesIO()
        torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
        seeds.append(buffer.getvalue())
    return tuple(seeds)


@lru_cache
def _identity_seeds() -> tuple[bytes, ...]:
    from likeness.identity import Person, save_people
    from likeness.values import Identity

    seeds = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.safetensors"
        for count in (1, 2):
            people = [Person(Identity(torch.full((2, 8), n + 1.0), "sface"), f"p{n}") for n in range(count)]
            save_people(people, path, torch.rand(count, 8, 8, 3))
            seeds.append(path.read_bytes())
    return tuple(seeds)


@lru_cache
def _onnx_seed() -> tuple[bytes, ...]:
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(torch.ones(4, 4).numpy(), "w")
    shape = [1, 4]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return (model.SerializeToString(),)


# ---- contents of files


def _from_content(
    make: Callable[[], Mapping[str, Any]], parse: Callable[[Mapping[str, Any]], object]
) -> Callable[[bytes], object]:
    sound = lru_cache(make)

    def run(data: bytes) -> object:
        changed = mutate_content(sound(), random.Random(data)) if data else sound()
        # read_weights lets no other keys through.
        return parse({key: value for key, value in changed.items() if isinstance(key, str)})

    return run


def _numbers() -> tuple[bytes, ...]:
    return (b"", b"\x01", bytes(range(8)))


def _instantid_content() -> Mapping[str, Any]:
    from support.instantid_files import adapter

    return adapter([8, 8, 8], 32)


def _instantid(content: Mapping[str, Any]) -> object:
    from likeness.methods.instantid import identity_tokens, parse
    from likeness.values import Identity

    adapter = parse(content, {}, NAME)
    return identity_tokens(adapter, Identity(torch.ones(1, adapter.projector.embedding_width), "glintr100"))


def _expression_content() -> Mapping[str, Any]:
    shapes = {"proj.weight": (64, 55), "proj.bias": (64,), "norm.weight": (16,), "norm.bias": (16,)}
    layers = {f"{n}.to_{half}_ip.weight": torch.ones(8, 16) for n in (1, 3) for half in "kv"}
    return {"image_proj": {name: torch.ones(shape) for name, shape in shapes.items()}, "ip_adapter": layers}


def _expression(content: Mapping[str, Any]) -> object:
    from likeness.methods.arc2face.expression import expression_tokens, parse
    from likeness.values import Expression

    return expression_tokens(parse(content, NAME), Expression(torch.zeros(1, 55)))


def _emojidiff_content() -> Mapping[str, Any]:
    from support import emojidiff

    return {"image_proj": emojidiff.resampler(), "ip_adapter": emojidiff.layers(emojidiff.numbers())}


def _emojidiff(content: Mapping[str, Any]) -> object:
    from likeness.methods.emojidiff.adapter import parse

    return parse(content, {}, NAME)


def _pva_content() -> Mapping[str, Any]:
    from support import pva_files

    content = pva_files.base([8] * len(pva_files.LAYERS), 16)
    content["transform_network"] = pva_files.transformer(16, inner=8, layers=1)
    return {**content, "face_net": {f"facenet.{k}": v for k, v in pva_files.face_net().items()}}


def _pva(content: Mapping[str, Any]) -> object:
    from likeness.methods.pva.content import PVA, identity_tokens, parse_base
    from likeness.values import Identity

    pva = PVA(parse_base(content, NAME))
    width = pva.base.transformer.embedding_width
    return identity_tokens(pva, Identity(torch.ones(2, width), pva.base.recogniser)), pva.layers, pva.tuned


def _fact_content() -> Mapping[str, Any]:
    from support import fact_files

    return fact_files.adapter([8] * 16, 16, norms=True)


def _fact(content: Mapping[str, Any]) -> object:
    from likeness.methods.fact.adapter import identity_tokens, parse
    from likeness.methods.fact.gates import keys_values

    adapter = parse(content, {}, NAME)
    tokens = identity_tokens(adapter, torch.ones(1, 144, 512))
    return keys_values(tokens.both, adapter.layers.layers)  # type: ignore[attr-defined]


def _masterweaver_content() -> Mapping[str, Any]:
    from support import masterweaver

    return masterweaver.tiny([8] * 16, 16, 8)


def _masterweaver(content: Mapping[str, Any]) -> object:
    from likeness.methods.masterweaver import parse, tokens_of

    adapter = parse(content, {}, NAME)
    shown = torch.ones(1, 5, adapter.projector.embedding_width)
    tokens = tokens_of(adapter, shown, shown)
    return adapter.layers.keys_values(tokens.both, tuple(range(16)))  # type: ignore[attr-defined]


def _wplus_content() -> Mapping[str, Any]:
    from support import wplus_files

    return wplus_files.tiny([8] * 16, 16)


def _wplus(content: Mapping[str, Any]) -> object:
    from likeness.attention.cascade import fold
    from likeness.methods.wplus import WPlus, identity_tokens, parse

    adapter = parse(content, {}, NAME)
    tokens = identity_tokens(adapter, WPlus(torch.ones(1, 18, 512)))
    layers: Any = adapter.layers
    pairs = layers.family.pairs
    return fold(tokens.both, pairs, layers.queries, [2] * len(pairs))


def _wplus_edits(text: str) -> object:
    from likeness.methods.wplus import read_edits
    from likeness.methods.wplus.directions import Direction

    return read_edits(text, [("direction_0", Direction("smile", torch.ones(18, 512)))])


def _consistentid_content() -> Mapping[str, Any]:
    from support import consistentid_files

    return consistentid_files.content([8] * 3, 16, 8)


def _consistentid(content: Mapping[str, Any]) -> object:
    from likeness.methods.consistentid import features_of, parse

    adapter = parse(content, {}, NAME)
    states = torch.ones(3, 5, adapter.projector.embedding_width)
    features = features_of(adapter, torch.ones(1, adapter.projector.face_width), states, ["face"])
    known = features.facial.fuse(torch.ones(1, features.width), features.parts["face"][None])
    kept = adapter.layers.keys_values(features.tokens.both, (0, 1, 2))  # type: ignore[attr-defined]
    return known, kept


def _caption(text: str) -> object:
    from likeness.choices.consistentid import PARTS
    from likeness.methods.consistentid.words import caption_of

    return caption_of(text, PARTS)


def _transface_content() -> Mapping[str, Any]:
    from support import fact_files

    return {**fact_files.transface(1), **fact_files.unused()}


def _transface(content: Mapping[str, Any]) -> object:
    from likeness.methods.fact.transface import build

    return build(content, {"blocks": "1"}, NAME)


def _person(content: Mapping[str, Any]) -> object:
    from likeness.methods.pva.content import PVA, parse_base, parse_person

    base = parse_base(_pva_content(), "base")
    pva = PVA(base, parse_person(content, NAME, base))
    return pva.layers, pva.tuned


def _person_content() -> Mapping[str, Any]:
    whole = _pva_content()
    return {"modifier_vec": whole["modifier_vec"], "unet": whole["unet"]}


def _parser_content() -> Mapping[str, Any]:
    from support.parser_files import random as weights

    return {"state_dict": weights()}


def _parser(content: Mapping[str, Any]) -> object:
    from likeness.faces.parser_weights import build_network

    return build_network(content, NAME)


def _smirk_content() -> Mapping[str, Any]:
    from support.smirk_files import content

    return {"state_dict": content()}


def _smirk(content: Mapping[str, Any]) -> object:
    from likeness.expressions.smirk import build_encoder

    return build_encoder(content, NAME)


def _encoder_content() -> Mapping[str, Any]:
    from tiny.likeness_tiny import arc2face

    return arc2face.encoder(0)


def _encoder(content: Mapping[str, Any]) -> object:
    from likeness.methods.arc2face.files import check_encoder

    return check_encoder(content, NAME)


def _unet_content() -> Mapping[str, Any]:
    return {"input_blocks.0.0.weight": torch.ones(4, 4, 3, 3), "x.attn2.to_k.weight": torch.ones(8, 16)}


def _unet(content: Mapping[str, Any]) -> object:
    from likeness.methods.arc2face.files import check_unet

    return check_unet(content, NAME)


# ---- texts of nodes


def _from_text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


def _texts(*texts: str) -> Callable[[], tuple[bytes, ...]]:
    return lambda: tuple(text.encode() for text in texts)


def _keypoints(text: str) -> object:
    from likeness.faces.edit_keypoints import canvas, edit_keypoints

    return edit_keypoints(canvas(None, None, 512, 512), text)


def _indices(text: str) -> object:
    from likeness.faces.choose import parse_indices, pick

    return pick(range(9), parse_indices(text))


def _layers(text: str) -> object:
    from likeness.methods.freecure.layers import layer_numbers

    return layer_numbers(text, 16, "default, all_up")


def _layer_list(text: str) -> object:
    from likeness.methods.emojidiff.apply import chosen_layers

    return chosen_layers("custom", text)


def _mix(text: str) -> object:
    from likeness.algebra.mix import parse_weights

    return parse_weights(text, ["identity_1", "identity_2"])


def _words(text: str) -> object:
    from likeness.faces.labels import wanted_classes

    return wanted_classes(["hair"], text, any_words=True)


def _person_choice(text: str) -> object:
    from likeness.identity.people import Person, choose_person
    from likeness.values import Identity

    return choose_person([Person(Identity(torch.ones(1, 4), "sface"), "anna")], text)


_POINTS = json.dumps([{"face": 0, "points": [[202, 106], [250, 107], [226, 128], [207, 149], [246, 150]]}])
_NEW_POINTS = _POINTS.replace('"face": 0', '"picture": 0')

#: Sound contents of files, and the readers of such contents.
CONTENTS: dict[str, tuple[Callable[[], Mapping[str, Any]], Callable[[Mapping[str, Any]], object]]] = {
    "instantid": (_instantid_content, _instantid),
    "expression": (_expression_content, _expression),
    "emojidiff": (_emojidiff_content, _emojidiff),
    "fact": (_fact_content, _fact),
    "masterweaver": (_masterweaver_content, _masterweaver),
    "wplus": (_wplus_content, _wplus),
    "consistentid": (_consistentid_content, _consistentid),
    "transface": (_transface_content, _transface),
    "pva": (_pva_content, _pva),
    "pva_person": (_person_content, _person),
    "parser": (_parser_content, _parser),
    "smirk": (_smirk_content, _smirk),
    "arc2face_encoder": (_encoder_content, _encoder),
    "arc2face_unet": (_unet_content, _unet),
}

TARGETS: dict[str, Target] = {
    "safetensors": Target(_from_file(_weights, ".safetensors"), _safetensors_seed, NAME, 400),
    "pickles": Target(_from_file(_weights, ".bin"), _pickle_seeds, NAME, 400),
    "identity": Target(_from_file(_identity, ".safetensors"), _identity_seeds, NAME, 400),
    "onnx": Target(_from_file(_onnx, ".onnx"), _onnx_seed, NAME, 300),
    "instantid": Target(_from_content(*CONTENTS["instantid"]), _numbers, NAME, 300),
    "expression": Target(_from_content(*CONTENTS["expression"]), _numbers, NAME, 300),
    "emojidiff": Target(_from_content(*CONTENTS["emojidiff"]), _numbers, NAME, 300),
    "fact": Target(_from_content(*CONTENTS["fact"]), _numbers, NAME, 200),
    "masterweaver": Target(_from_content(*CONTENTS["masterweaver"]), _numbers, NAME, 200),
    "wplus": Target(_from_content(*CONTENTS["wplus"]), _numbers, NAME, 150),
    "wplus_edits": Target(
        _from_text(_wplus_edits), _texts("all: smile = 1.5", "0-7, 9: 0 = -2"), "edits", 300
    ),
    "consistentid": Target(_from_content(*CONTENTS["consistentid"]), _numbers, NAME, 200),
    "transface": Target(_from_content(*CONTENTS["transface"]), _numbers, NAME, 20),
    "pva": Target(_from_content(*CONTENTS["pva"]), _numbers, NAME, 150),
    "pva_person": Target(_from_content(*CONTENTS["pva_person"]), _numbers, NAME, 40),
    "parser": Target(_from_content(*CONTENTS["parser"]), _numbers, NAME, 10),
    "smirk": Target(_from_content(*CONTENTS["smirk"]), _numbers, NAME, 8),
    "arc2face_encoder": Target(_from_content(*CONTENTS["arc2face_encoder"]), _numbers, NAME, 300),
    "arc2face_unet": Target(_from_content(*CONTENTS["arc2face_unet"]), _numbers, NAME, 300),
    "keypoints": Target(_from_text(_keypoints), _texts(_POINTS, _NEW_POINTS, "[]"), "keypoints", 500),
    "indices": Target(_from_text(_indices), _texts("0", "0,2", "1-3", "-1", "all"), "indices", 500),
    "layers": Target(_from_text(_layers), _texts("12-15", "3, 5, 8-10"), "layers", 500),
    "layer_list": Target(_from_text(_layer_list), _texts("13-23, 31", ""), "layer_list", 500),
    "weights": Target(_from_text(_mix), _texts("1, 0.5", "1e3,-2"), "weights", 500),
    "words": Target(_from_text(_words), _texts("left eye and her hair", "hats"), "words", 300),
    "caption": Target(
        _from_text(_caption), _texts("a face, two eyes, a nose.", "big ears and face"), "caption", 300
    ),
    "person": Target(_from_text(_person_choice), _texts("anna", "0", ""), "person", 300),
}
