"""The face parser's weights file in the published layout: random, or one that reads colours."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F

from likeness.faces.bisenet import BiSeNet

Tensors = dict[str, torch.Tensor]

#: What the colour reader calls pure red, green, blue and black.
RED, GREEN, BLUE, BLACK = 17, 6, 4, 0


def random(seed: int = 0) -> Tensors:
    """Weights as a fresh network has them, with batch norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tensors = {key: value.clone() for key, value in BiSeNet().state_dict().items()}
    for key, value in tensors.items():
        if value.ndim == 1:
            noise = torch.randn(value.shape, generator=generator)
            tensors[key] = 1 + 0.2 * noise.abs() if key.endswith(("weight", "var")) else 0.2 * noise
    return tensors


def colours() -> Tensors:
    """Weights that carry each colour straight through: red is hair, green glasses, blue the left eye."""
    tensors = {key: torch.zeros_like(value) for key, value in random().items()}
    for key, value in tensors.items():
        if value.ndim == 1 and key.endswith(("weight", "var")):
            value += 1
    layers = {
        "cp.resnet.conv1": 3,
        "cp.resnet.layer2.0.downsample.0": 0,
        "ffm.convblk.conv": 0,
        "conv_out.conv.conv": 1,
    }
    for name, middle in layers.items():
        for channel in range(3):
            tensors[f"{name}.weight"][channel, channel, middle, middle] = 1
    for channel, number in enumerate((RED, GREEN, BLUE)):
        tensors["conv_out.conv_out.weight"][number, channel, 0, 0] = 1
    return tensors


def reference(t: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Scores by torchvision's ResNet-18 and the papers' formulas, straight from the names in the file."""
    from torchvision.models import resnet18

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        mean, var, weight, bias = (
            t[f"{name}.{p}"][:, None, None] for p in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    def conv(name: str, x: torch.Tensor) -> torch.Tensor:
        weight = t[f"{name}.conv.weight"]
        return norm(f"{name}.bn", F.conv2d(x, weight, padding=weight.shape[-1] // 2)).relu()

    def refine(name: str, x: torch.Tensor) -> torch.Tensor:
        x = conv(f"{name}.conv", x)
        pooled = F.adaptive_avg_pool2d(x, 1)
        return x * norm(f"{name}.bn_atten", F.conv2d(pooled, t[f"{name}.conv_atten.weight"])).sigmoid()

    def larger(x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    part = "cp.resnet."
    with torch.random.fork_rng(devices=[]):
        backbone = resnet18().eval()
    missing = backbone.load_state_dict(
        {k[len(part) :]: v for k, v in t.items() if k.startswith(part)}, strict=False
    )
    assert sorted(missing.missing_keys) == ["fc.bias", "fc.weight"] and not missing.unexpected_keys
    features = {}
    for name, layer in backbone.named_children():
        if name == "avgpool":
            break
        x = features[name] = layer(x)
    eighth, sixteenth, coarse = (features[f"layer{n}"] for n in (2, 3, 4))
    context = refine("cp.arm32", coarse) + conv("cp.conv_avg", F.adaptive_avg_pool2d(coarse, 1))
    context = refine("cp.arm16", sixteenth) + conv("cp.conv_head32", larger(context))
    fused = conv("ffm.convblk", torch.cat([eighth, conv("cp.conv_head16", larger(context))], dim=1))
    weight = F.conv2d(F.adaptive_avg_pool2d(fused, 1), t["ffm.conv1.weight"]).relu()
    fused = fused + fused * F.conv2d(weight, t["ffm.conv2.weight"]).sigmoid()
    scores = F.conv2d(conv("conv_out.conv", fused), t["conv_out.conv_out.weight"])
    return F.interpolate(scores, scale_factor=8, mode="bilinear", align_corners=True)
