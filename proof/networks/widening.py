"""A network of twice the channels at full resolution that begins as the narrower one (Chen et al. 2016,
Net2Net). Names are those of the SD1.5-shaped one."""

from __future__ import annotations

import torch

Tensors = dict[str, torch.Tensor]


def passed_on(trunk: Tensors) -> Tensors:
    """For a network as wide at full resolution as below it, whose first block there therefore passes on what
    it gets as it is: the layer above does instead what that block did to pass it on, it is undone for the
    output block that listens to that layer as well, and what the block added begins as nothing."""
    down, block, listener = "input_blocks.3.0.op.", "input_blocks.4.0.", "output_blocks.8.0."
    skip = trunk[f"{block}skip_connection.weight"][:, :, 0, 0]
    undo = torch.linalg.pinv(skip)
    made = dict(trunk)
    made[f"{down}weight"] = torch.einsum("oi,ijkl->ojkl", skip, trunk[f"{down}weight"])
    made[f"{down}bias"] = skip @ trunk[f"{down}bias"] + trunk[f"{block}skip_connection.bias"]
    for name in ("in_layers.0.weight", "in_layers.0.bias"):
        below = len(trunk[listener + name]) - len(undo)
        usual = made[listener + name][below:].mean()
        made[listener + name] = torch.cat([made[listener + name][:below], usual.expand(len(skip))])
        made[block + name] = trunk[block + name].mean().expand(len(skip))
    for name in ("in_layers.2.weight", "skip_connection.weight"):
        below, last = made[listener + name].split([made[listener + name].shape[1] - len(undo), len(undo)], 1)
        made[listener + name] = torch.cat([below, torch.einsum("oikl,ij->ojkl", last, undo)], 1)
    made[f"{block}in_layers.2.weight"] = torch.einsum(
        "oikl,ij->ojkl", made[f"{block}in_layers.2.weight"], undo
    )
    made[f"{block}out_layers.3.weight"] = torch.zeros_like(made[f"{block}out_layers.3.weight"])
    return made


def wider(name: str, known: torch.Tensor, shape: torch.Size, chance: torch.Generator) -> torch.Tensor:
    """What a narrower network says, in one of twice the channels at full resolution (Chen et al. 2016,
    Net2Net): each new channel stands beside the one it repeats, so that norms over groups see what they saw,
    and what listens to both divides its weight between them unevenly, so that they learn to differ."""
    if name == "time_embed.0.weight":
        # Twice as many frequencies of time: every other one is known, cosines before sines.
        known = torch.stack([known, torch.zeros_like(known)], 2).flatten(1)
    elif known.ndim > 1 and known.shape[1] != shape[1]:
        kept, doubled = _doubled(known, shape[1], 1)
        part = 0.5 + 0.2 * torch.randn(doubled.shape, generator=chance)
        known = torch.cat([kept, torch.stack([doubled * part, doubled * (1 - part)], 2).flatten(1, 2)], 1)
    if len(known) != shape[0]:
        kept, doubled = _doubled(known, shape[0], 0)
        known = torch.cat([kept, doubled.repeat_interleave(2, 0)])
    return known


def _doubled(known: torch.Tensor, size: int, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What stays, and what is there twice: of two inputs in a row, the last may be the only wider one."""
    more = size - known.shape[axis]
    return known.narrow(axis, 0, known.shape[axis] - more), known.narrow(axis, known.shape[axis] - more, more)
