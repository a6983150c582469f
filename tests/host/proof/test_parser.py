"""The drawn world's face parser in our node: it parses as the trainer's network does."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import save_file

from proof.networks.parser import Parser, whole
from proof.world.draw import draw
from proof.world.scene import figure


def test_the_node_parses_as_the_trainers_network_does(pack: Any, host: ModuleType, base: Path) -> None:
    network = Parser(3)
    with torch.no_grad():  # what begins as nothing would hide a wrong place in the file
        for n, parameter in enumerate(network.learnt().values()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.manual_seed(n)))
    folder = base / "models" / "face_parsing"
    folder.mkdir(exist_ok=True)
    save_file(whole(network.learnt()), folder / "drawn_parser.safetensors")
    parser = pack.node("LikenessLoadFaceParser").execute(file="drawn_parser.safetensors")[0]
    picture = torch.from_numpy(draw(figure(5), 128).picture)[None].float() / 255
    parsed = pack.module("likeness.faces.parsing").parse_pictures(parser.ready(), picture)
    with torch.no_grad():
        found = network.scores(picture.movedim(3, 1)).argmax(1)
    assert len(found.unique()) > 4
    # A picture of 512 x 512 has whole numbers as colours: some pixels between two classes change sides.
    same = parsed == torch.where(found == 0, 0, 1 << found)
    assert same.float().mean() > 0.98
