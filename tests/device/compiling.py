"""InstantID on a network that is compiled, as TorchCompileModel does it: the picture stays, and seconds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Any

import torch
from support.golden import relative_error
from support.method_runs import FULL, instantid

from .host import Host
from .timing import step_seconds

NAME = "InstantID, compiled"
#: What fusing operations may change of a picture in float32, for cards that round to 11 bits in between.
TOLERANCE = 4 * 2**-11


def check_compiling(host: Host, say: Callable[[str], None]) -> None:
    """Raises AssertionError where the compiled picture is another."""
    backend = backend_for(host.device)
    torch._dynamo.reset()
    usual = instantid(host, torch.float32, once(with_torchs_attention))
    compiled = instantid(host, torch.float32, once(lambda model: with_compiler(model, backend)))
    wanted = usual.draw(FULL)
    began = time.perf_counter()
    found = compiled.draw(FULL)
    say(f"by {backend}, the first step {time.perf_counter() - began:.1f} s")
    error = relative_error(found.float(), wanted.float())
    say(f"differs by {error:.1e}")
    assert error <= TOLERANCE, "the compiled network draws another picture"
    fast, slow = (step_seconds(host.device, lambda m=m: m.draw(FULL)) for m in (compiled, usual))
    say(f"a step {fast * 1e3:.1f} ms, not compiled {slow * 1e3:.1f} ms")
    torch._dynamo.reset()


def backend_for(device: torch.device) -> str:
    """Inductor, as the host's node has it; where nothing could build its code, the graph as it is."""
    if device.type == "cuda" and _has_triton():
        return "inductor"
    return "eager"


def _has_triton() -> bool:
    from torch.utils._triton import has_triton

    # Triton builds its launcher with the machine's own compiler.
    return bool(has_triton()) and any(shutil.which(name) for name in ("cc", "gcc", "clang"))


def with_torchs_attention(model: Any) -> Any:
    """What the host takes on graphics cards; its choice for CPUs breaks any graph."""
    from comfy.ldm.modules.attention import attention_pytorch

    model = model.clone(disable_dynamic=True)
    given = model.model_options["transformer_options"]
    given["optimized_attention_override"] = lambda function, *args, **more: attention_pytorch(*args, **more)
    return model


def with_compiler(model: Any, backend: str) -> Any:
    from comfy_api.torch_helpers import set_torch_compile_wrapper
    from comfy_extras.nodes_torch_compile import skip_torch_compile_dict

    model = with_torchs_attention(model)
    set_torch_compile_wrapper(
        model=model, backend=backend, options={"guard_filter_fn": skip_torch_compile_dict}
    )
    return model


def once(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The node is run for each picture; compiled again and again it would never be quick."""
    made: list[Any] = []

    def changed(model: Any) -> Any:
        if not made:
            made.append(change(model))
        return made[0]

    return changed
