"""An adapter's file to go on from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def put(places: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]) -> None:
    """Tensors of a file into what learns, by their names. Raises ValueError for a file of another base."""
    with torch.no_grad():
        for name, place in places.items():
            if name not in tensors:
                raise ValueError(
                    f"--start lacks {name}: it was made for another base, or for some layers only."
                )
            if tensors[name].shape != place.shape:
                raise ValueError(
                    f"--start was made for another base: {name} is {list(tensors[name].shape)}, not "
                    f"{list(place.shape)}."
                )
            place.copy_(tensors[name])
