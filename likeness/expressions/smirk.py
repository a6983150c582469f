"""SMIRK's expression encoder. Spec: instantid_arc2face.md 2.5.1, steps 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ..values import Expression
from ..weights.fit import check_fit, filled

#: Where the encoder's tensors are in the published file, in files of the three encoders, and alone.
_PREFIXES = ("smirk_encoder.expression_encoder.", "expression_encoder.", "")
_HEAD = "expression_layers.0."
_BACKBONE = "tf_mobilenetv3_large_minimal_100"
_ADVICE = "Use SMIRK_em1.pt of the SMIRK project."


class ExpressionEncoder(torch.nn.Module):
    """MobileNetV3's last feature map, averaged over the picture, through one linear layer.

    Pictures [n, 3, 224, 224] float32, 0..1, BGR -> raw parameters [n, 55] before their limits.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        import timm  # here: it takes seconds, and only reading an expression needs it

        self.encoder = timm.create_model(_BACKBONE, pretrained=False, features_only=True)
        width = self.encoder.feature_info.channels()[-1]
        if width != features:
            raise ValueError(f"its last layer takes {features} numbers, but {_BACKBONE} gives {width}")
        self.expression_layers = torch.nn.Sequential(torch.nn.Linear(features, 55))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        raw: torch.Tensor = self.expression_layers(self.encoder(pictures)[-1].mean(dim=(2, 3)))
        return raw


def build_encoder(content: Mapping[str, Any], name: str) -> ExpressionEncoder:
    """The encoder out of a weights file's content, float32 on the CPU, ready to use.

    Other parts of the file (shape, pose, generator) are left alone. name: the file's, for messages. Raises
    ValueError saying what is missing or does not fit.
    """
    tensors = _encoder_tensors(content, name)
    head = tensors[_HEAD + "weight"]
    if head.ndim != 2 or head.shape[0] != 55:
        raise ValueError(
            f"{name} gives {head.shape[0] if head.ndim else 1} numbers for an expression instead of 55 "
            f"(50 components, 2 eyelids, 3 of the jaw). {_ADVICE}"
        )
    try:
        with torch.random.fork_rng(devices=[]):  # layers draw weights when made; nobody's seed shall notice
            encoder = ExpressionEncoder(head.shape[1])
    except ValueError as error:
        raise ValueError(f"{name} does not fit SMIRK's expression encoder: {error}. {_ADVICE}") from error
    check_fit(encoder, tensors, name, f"SMIRK's expression encoder ({_BACKBONE})", _ADVICE)
    return filled(encoder, tensors)


def _encoder_tensors(content: Mapping[str, Any], name: str) -> dict[str, torch.Tensor]:
    nested = content.get("state_dict")
    named = nested if isinstance(nested, Mapping) else content
    prefix = next((p for p in _PREFIXES if p + _HEAD + "weight" in named), None)
    if prefix is None:
        shown = ", ".join(str(key) for key in list(named)[:3]) or "nothing"
        raise ValueError(
            f"{name} is no SMIRK file: it holds no {_PREFIXES[0]}{_HEAD}weight (its first keys: "
            f"{shown}). {_ADVICE}"
        )
    return {
        key[len(prefix) :]: value.to("cpu", torch.float32) if value.is_floating_point() else value
        for key, value in named.items()
        if isinstance(value, torch.Tensor) and str(key).startswith((prefix + "encoder.", prefix + _HEAD))
    }


@torch.no_grad()
def encode(encoder: torch.nn.Module, crop: torch.Tensor) -> Expression:
    """The expression in a crop [224, 224, 3] uint8 RGB, within SMIRK's limits.

    The network sees BLUE first: so the adapter's authors fed it, and so the adapter was trained.
    """
    bgr = crop.flip(-1).permute(2, 0, 1)[None].to(torch.float32) / 255.0
    return Expression(limit(encoder(bgr.contiguous())))


def limit(parameters: torch.Tensor) -> torch.Tensor:
    """Parameters [n, 55] within SMIRK's limits: eyelids 0..1, jaw open from 0, its other turns +-0.2.

    The 50 components have none.
    """
    parts = [
        parameters[:, :50],
        parameters[:, 50:52].clamp(0, 1),
        parameters[:, 52:53].clamp(min=0),
        parameters[:, 53:].clamp(-0.2, 0.2),
    ]
    return torch.cat(parts, dim=1)
