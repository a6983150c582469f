"""PVA's tensors while they learn on one person in the host. Spec: pva_freecure_emojidiff.md A.5.1."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from ... import host
from ...attention.engine import inject
from ...attention.gate import JointAttention, Visual, fold
from ...attention.sites import Site, numbered
from ...attention.use import Window
from .apply import host_name, layer_names
from .content import OWN, PVA, VISUAL, Person
from .prompt import encode_word

#: What the person is called while tuning, and in the prompts of the authors' benchmark.
PROMPT = "photo of a <new1> person"


class _LearningTokens:
    """VisualTokens of a person who is projected anew at every pass, by matrices that learn."""

    def __init__(self, layers: list[tuple[nn.Parameter, ...]], sites: tuple[Site, ...]) -> None:
        self._layers, self._sites = layers, sites
        self.tokens: torch.Tensor | None = None

    def layer(self, index: int, device: torch.device, dtype: torch.dtype) -> Visual:
        if self.tokens is None:
            raise RuntimeError("Tune PVA: the network ran before it was given a person.")
        to_q, to_k, to_v = self._layers[index]
        one = self.tokens[0].to(device)
        folded = fold(to_q, F.linear(one, to_k), self._sites[index].heads)
        return folded.to(device, dtype), F.linear(one, to_v).to(device, dtype)

    @property
    def shapes(self) -> tuple[Any, ...]:
        return ()

    def lend(self, device: torch.device, dtype: torch.dtype) -> None:
        """Nothing: they are made when a layer asks, with gradients."""

    def cleanup(self) -> None:
        pass


class Student:
    """A copy of an inpainting MODEL and its CLIP in which a person's tensors learn; float32 on its device.

    To be made while `host.learning`. everything: the layers' own attention learns, too. The MODEL and CLIP
    given are not changed.
    """

    def __init__(
        self, model: Any, clip: Any, pva: PVA, sites: tuple[Site, ...], everything: bool, dtype: torch.dtype
    ) -> None:
        self._pva, self._clip = pva, host.training.trainable_clip(clip)
        self._layers = layer_names(model, pva, sites)
        copy = host.training.trainable_model(model, dtype)
        device = copy.load_device
        if pva.tuned:
            named = {host_name(key, self._layers): value for key, value in pva.tuned.items()}
            copy = host.loading.set_weights(copy, named)
        self.word = _learning(pva.word, device)
        self._visual = {
            f"{layer}.{part}": _learning(pva.unet[f"{layer}.{part}"], device)
            for layer in self._layers
            for part in VISUAL
        }
        self._own = self._learn_own(copy, device) if everything else {}
        parameters = list(self._visual.values())
        layers = [tuple(parameters[n : n + len(VISUAL)]) for n in range(0, len(parameters), len(VISUAL))]
        self._tokens = _LearningTokens(layers, sites)
        source = JointAttention(
            "Tune PVA",
            self._tokens,
            numbered(sites),
            1.0,
            Window(0.0, 1.0),
            frozenset({"positive"}),
            host.attention.logits_dtype,
        )
        self.model = inject(copy, sites, source, hidden=True)

    def _learn_own(self, copy: Any, device: torch.device) -> dict[str, nn.Parameter]:
        """The layers' own tensors, and in the copy what each has learnt on top of its weight and LoRAs."""
        found, weights = {}, copy.model.diffusion_model
        for layer in self._layers:
            for part in OWN:
                key = f"{layer}.{part}"
                name = host_name(key, self._layers)
                start = self._pva.tuned.get(key)
                if start is None:
                    start = weights.get_parameter(name).detach()
                found[key] = _learning(start, device)
                copy.add_weight_wrapper(f"diffusion_model.{name}", _Learnt(found[key]))
        return found

    @property
    def attention(self) -> list[nn.Parameter]:
        """All tensors of cross-attention that learn."""
        return [*self._visual.values(), *self._own.values()]

    def prompt(self) -> torch.Tensor:
        """PROMPT with the word as it is now, encoded: [1, L, width]."""
        return encode_word(self._clip, self.word, PROMPT)

    def meet(self, vectors: torch.Tensor) -> None:
        """Who the network is to know, by raw vectors [R, D]."""
        with torch.no_grad():
            self._tokens.tokens = self._pva.base.transformer(vectors[None])

    def person(self, name: str) -> Person:
        """What was learnt, as a layer over the base file; float32 on the CPU."""
        unet = {key: _taken(value) for key, value in {**self._visual, **self._own}.items()}
        return Person(name, _taken(self.word), unet)


class _Learnt:
    """What a tensor has learnt, added to the weight that the host has in its place."""

    def __init__(self, parameter: nn.Parameter) -> None:
        self._parameter, self._start = parameter, parameter.detach().clone()

    def __call__(self, weight: torch.Tensor) -> torch.Tensor:
        learnt = (self._parameter - self._start).to(weight.device)
        return (weight.to(torch.float32) + learnt).to(weight.dtype)


def _learning(tensor: torch.Tensor, device: torch.device) -> nn.Parameter:
    return nn.Parameter(tensor.detach().clone().to(device, torch.float32))


def _taken(parameter: nn.Parameter) -> torch.Tensor:
    return parameter.detach().to("cpu", torch.float32).clone()
