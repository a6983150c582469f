"""PVA's files: which there are, loading each once per process, saving.

Spec: pva_freecure_emojidiff.md A.1, A.3.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import torch

from ... import host
from ...choices.pva import CONTENTS, EVERYTHING, FOLDER, PERSON, PRECISIONS, PUBLISHED
from ...faces.iresnet import build_iresnet
from ...faces.models import bundled_fingerprint
from ...faces.sessions import once
from ...weights.chosen import find_chosen
from ...weights.find import find_file
from ...weights.find import fingerprint as stamps
from ...weights.read import read_weights
from ...weights.write import prepare_numbered, write_numbered, write_tensors
from .content import FACE_NET, PVA, TRANSFORMER, UNET, WORD, Base, file_facts, parse_base, parse_person

FACE_ENCODER = "pva/face_encoder"

#: Bytes that one face takes in the encoder beside its weights: five times its largest features.
_WORKING_MEMORY = 16 << 20
_BATCH = 16

#: Loaded base files by path, size and time of change: shared by all persons' layers over them.
_loaded: WeakValueDictionary[str, Base] = WeakValueDictionary()
#: The tuned face encoders of base files, in the host's care.
_tuned: WeakKeyDictionary[Base, Any] = WeakKeyDictionary()


def fingerprint(file: str | None, person_file: str | None = None) -> str:
    """Changes when one of the files does, so that the host runs the loader again."""
    return host.files.fingerprint(FOLDER, file, person_file)


def load(file: str, person_file: str | None = None) -> PVA:
    """A file of models/pva, and a person's layer over it. Raises MissingModel, or ValueError."""
    path, key = find_chosen(FOLDER, file, PUBLISHED), host.files.fingerprint(FOLDER, file)
    base = _loaded.get(key)
    if base is None:
        parsed = parse_base(read_weights(path)[0], os.path.basename(path))
        base = _loaded[key] = replace(parsed, file=key)
    if person_file is None:
        return PVA(base)
    layer = find_chosen(FOLDER, person_file, PUBLISHED)
    return PVA(base, parse_person(read_weights(layer)[0], os.path.basename(layer), base))


def encode_faces(pva: PVA, faces: torch.Tensor) -> torch.Tensor:
    """Faces [n, 3, 112, 112], RGB from -1 to 1 -> raw vectors [n, 512], both on the CPU.

    By the face encoder of the PVA file if it was tuned, else by the published one, which the host moves to
    where it runs. Raises MissingModel.
    """
    network, device = host.loading.run_network(_encoder(pva.base), min(len(faces), _BATCH) * _WORKING_MEMORY)
    with torch.no_grad():
        return torch.cat([network(part.to(device)).cpu() for part in faces.split(_BATCH)])


def _encoder(base: Base) -> Any:
    if base.face_net is None:
        return once("face_encoder", find_file(FACE_ENCODER), "host", _published)
    if base not in _tuned:
        _tuned[base] = host.loading.managed_network(base.face_net)
    return _tuned[base]


def _published(path: Path, _: str) -> Any:
    return host.loading.managed_network(build_iresnet(read_weights(str(path))[0], path.name))


def encoder_fingerprint() -> str:
    """Changes when what describes faces for PVA does: detector, mesh, the published face encoder."""
    return f"{bundled_fingerprint()}; {stamps(FACE_ENCODER)}"


def check_name(prefix: str, input_id: str) -> None:
    """Raises ValueError for a prefix that `save` would refuse; makes its folder, as `save` does."""
    prepare_numbered(host.files.model_folders(FOLDER)[0], prefix, "file", input_id)


def save(
    pva: PVA,
    prefix: str,
    content: str = EVERYTHING,
    precision: str = "as it is",
    input_id: str = "filename_prefix",
) -> Path:
    """Write to models/pva under the next free number, and say where; flat, with the official names.

    everything: a base file with the person's layer in it, if there is one; person: that layer alone.
    input_id: where the prefix comes from. Raises ValueError for a bad one, or a person that is not there.
    """
    if content not in CONTENTS or precision not in PRECISIONS:
        raise ValueError(
            f"content must be one of {', '.join(CONTENTS)}, and precision one of {', '.join(PRECISIONS)}."
        )
    dtype, tensors = PRECISIONS[precision], {}
    for key, value in _flat(pva, content).items():
        tensors[key] = value.to("cpu", dtype if value.is_floating_point() else None).clone()
    facts, directory = file_facts(pva.token_width), host.files.model_folders(FOLDER)[0]
    return write_numbered(
        directory, prefix, "file", lambda path: write_tensors(tensors, facts, path), input_id
    )


def _flat(pva: PVA, content: str) -> dict[str, torch.Tensor]:
    if content == PERSON:
        if pva.person is None:
            raise ValueError("pva holds no person's layer: choose a person_file, or content everything.")
        return {WORD: pva.word, **_under(UNET, pva.person.unet)}
    flat = {WORD: pva.word, **_under(UNET, pva.unet)}
    flat |= _under(TRANSFORMER, pva.base.transformer.state_dict())
    if pva.base.face_net is not None:
        flat |= _under(f"{FACE_NET}.facenet", pva.base.face_net.state_dict())
    return flat


def _under(part: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"{part}.{key}": value for key, value in tensors.items()}
