"""What happens on a device: precisions that came there, what the network gave, how much stays."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WIDE = (torch.float64, torch.complex128)


class NoFloat64(TorchDispatchMode):
    """Notes operations with float64 on a device, and on the CPU those while `network` runs.

    MPS has no float64, consumer graphics cards compute it 32 times slower.
    """

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._depth = 0
        self._network = network
        self._hooks: list[Any] = []

    def __enter__(self) -> NoFloat64:
        self._hooks = [
            self._network.register_forward_pre_hook(lambda *_: self._step(1)),
            self._network.register_forward_hook(lambda *_: self._step(-1), always_call=True),
        ]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    def _step(self, by: int) -> None:
        self._depth += by

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for value in tree_leaves((args, kwargs or {}, out)):
            wide = isinstance(value, torch.Tensor) and value.dtype in WIDE
            if wide and (self._depth or value.device.type != "cpu"):
                self.found.add(f"{func} ({value.dtype}, {list(value.shape)})")
        return out


@contextmanager
def outputs_of(network: torch.nn.Module) -> Iterator[set[tuple[torch.dtype, torch.device]]]:
    """The (dtype, device) of everything that the network gives meanwhile."""
    seen: set[tuple[torch.dtype, torch.device]] = set()

    def note(module: Any, inputs: Any, out: torch.Tensor) -> None:
        seen.add((out.dtype, out.device))

    hook = network.register_forward_hook(note)
    try:
        yield seen
    finally:
        hook.remove()


def held(device: torch.device) -> int:
    """Bytes of all tensors that are alive on a device. Counts storages, so that views count once."""
    gc.collect()
    sizes: dict[int, int] = {}
    for thing in gc.get_objects():
        # By type: isinstance would wake lazy things up.
        if issubclass(type(thing), torch.Tensor) and thing.device.type == device.type:
            try:
                storage = thing.untyped_storage()
                sizes[storage.data_ptr()] = storage.nbytes()
            except (NotImplementedError, RuntimeError):  # tensors without a storage
                continue
    return sum(sizes.values())
