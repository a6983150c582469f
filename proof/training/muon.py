"""Muon for matrices and kernels, AdamW for all else, as one optimiser.

Muon makes the update orthogonal by some products of matrices. Small networks have many weights of few shapes:
those of one shape go through these products together, as one batch, which is what makes it cheap here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

#: Coefficients of the quintic iteration of Newton and Schulz, as published with Muon.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonal(batch: torch.Tensor, iterations: int = 4) -> torch.Tensor:
    """[n, rows, columns]: each matrix with its singular values near 1."""
    flat = batch.size(1) <= batch.size(2)
    x = batch if flat else batch.mT
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-12)
    for _ in range(iterations):
        square = x @ x.mT
        x = _A * x + (_B * square + _C * square @ square) @ x
    return x if flat else x.mT


class Muon(torch.optim.Optimizer):
    """Muon for what has two dimensions or more (kernels as matrices), AdamW for the rest.

    plain: names of matrices that AdamW takes too, such as the first and last layers and tables of words.
    """

    def __init__(
        self,
        named: Iterable[tuple[str, torch.nn.Parameter]],
        rate: float = 0.01,
        plain_rate: float = 2e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
        decay: float = 0.0,
        plain: Callable[[str], bool] = lambda name: False,
    ) -> None:
        # In one order whatever the caller's: the state is saved by place.
        named = list(named)
        matrices = [p for name, p in named if p.ndim > 1 and min(p.shape[:2]) > 1 and not plain(name)]
        chosen = set(map(id, matrices))
        others = [p for _, p in named if id(p) not in chosen]
        groups: list[dict[str, Any]] = [
            {"params": group, "muon": muon, "lr": lr, "first_lr": lr}
            for group, muon, lr in ((matrices, True, rate), (others, False, plain_rate))
            if group
        ]
        super().__init__(groups, {"momentum": momentum, "betas": betas, "decay": decay})

    def scale(self, factor: float) -> None:
        """Sets every rate to this part of what it was given as."""
        for group in self.param_groups:
            group["lr"] = group["first_lr"] * factor

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if group["muon"]:
                self._muon(parameters, group)
            else:
                self._adam(parameters, group)

    def _muon(self, parameters: list[torch.Tensor], group: Mapping[str, Any]) -> None:
        by_shape: dict[tuple[int, ...], list[torch.Tensor]] = {}
        for parameter in parameters:
            by_shape.setdefault(tuple(parameter.shape), []).append(parameter)
        for shape, same in by_shape.items():
            updates = []
            for parameter in same:
                assert parameter.grad is not None
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                updates.append(parameter.grad.lerp(state["momentum"], group["momentum"]))
            rows = shape[0]
            made = orthogonal(torch.stack(updates).reshape(len(same), rows, -1))
            # An update of the same size for every shape, in the root mean square of its numbers' effect.
            size = group["lr"] * math.sqrt(max(1.0, rows / made.size(2)))
            for parameter, update in zip(same, made, strict=True):
                parameter.mul_(1 - group["lr"] * group["decay"])
                parameter.add_(update.reshape(shape), alpha=-size)

    def _adam(self, parameters: list[torch.Tensor], group: Mapping[str, Any]) -> None:
        first, second = group["betas"]
        for parameter in parameters:
            assert parameter.grad is not None
            state = self.state[parameter]
            if not state:
                state.update(
                    step=torch.zeros((), dtype=torch.int64),
                    mean=torch.zeros_like(parameter),
                    square=torch.zeros_like(parameter),
                )
            state["step"] += 1
            count = int(state["step"])
            state["mean"].lerp_(parameter.grad, 1 - first)
            state["square"].lerp_(parameter.grad.square(), 1 - second)
            root = (state["square"] / (1 - second**count)).sqrt_().add_(1e-8)
            parameter.mul_(1 - group["lr"] * group["decay"])
            parameter.addcdiv_(state["mean"], root, value=-group["lr"] / (1 - first**count))
