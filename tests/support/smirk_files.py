"""SMIRK's weights file with random weights: the official key layout on the network's real shape."""

from __future__ import annotations

from collections.abc import Mapping

import torch

PREFIX = "smirk_encoder.expression_encoder."
BACKBONE = "tf_mobilenetv3_large_minimal_100"


def backbone() -> torch.nn.Module:
    import timm

    return timm.create_model(BACKBONE, pretrained=False, features_only=True).eval()


def content(seed: int = 0) -> dict[str, torch.Tensor]:
    """As SMIRK_em1.pt has it, with a tensor of each of the other parts beside the expression encoder's.

    Batch norms get statistics of their own; parameters come out about 1 large, on both sides of their limits.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(key: str, like: torch.Tensor) -> torch.Tensor:
        if not like.is_floating_point():
            return like.clone()
        noise = torch.randn(like.shape, generator=generator)
        if key.endswith(("running_var", "bn.weight")) or (like.ndim == 1 and key.endswith("weight")):
            return 1 + 0.2 * noise.abs()
        if like.ndim == 1:
            return 0.2 * noise
        return noise * (2 / like[0].numel()) ** 0.5

    network = backbone()
    state = {key: drawn(key, value) for key, value in network.state_dict().items()}
    network.load_state_dict(state)
    with torch.no_grad():
        features = network(torch.rand(1, 3, 224, 224, generator=generator))[-1].mean(dim=(2, 3))
    tensors = {f"{PREFIX}encoder.{key}": value for key, value in state.items()}
    head = torch.randn(55, features.shape[1], generator=generator) / features.norm()
    tensors[f"{PREFIX}expression_layers.0.weight"] = head
    tensors[f"{PREFIX}expression_layers.0.bias"] = 0.1 * torch.randn(55, generator=generator)
    tensors["smirk_encoder.pose_encoder.pose_cam_layers.0.bias"] = torch.zeros(6)
    tensors["smirk_encoder.shape_encoder.shape_layers.0.bias"] = torch.zeros(300)
    tensors["smirk_generator.conv_first.weight"] = torch.zeros(2, 2)
    return tensors


@torch.no_grad()
def reference(tensors: Mapping[str, torch.Tensor], pictures: torch.Tensor) -> torch.Tensor:
    """Raw parameters [n, 55] of pictures [n, 3, 224, 224] as the network gets them, by timm alone."""
    network = backbone()
    part = f"{PREFIX}encoder."
    network.load_state_dict({k[len(part) :]: v for k, v in tensors.items() if k.startswith(part)})
    pooled = torch.nn.functional.adaptive_avg_pool2d(network(pictures)[-1], 1).flatten(1)
    head = f"{PREFIX}expression_layers.0."
    return torch.nn.functional.linear(pooled, tensors[head + "weight"], tensors[head + "bias"])
