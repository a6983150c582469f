"""Methods on a network that TorchCompileModel compiled: one graph, and the right picture at every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from support import method_runs
from support.golden import relative_error
from support.sampling import denoise

METHODS = ("InstantID", "Arc2Face expression", "Arc2Face reference", "EmojiDiff", "PVA")


@pytest.fixture(autouse=True)
def as_the_executor_does() -> Iterator[None]:
    torch._dynamo.reset()
    with torch.inference_mode():
        yield
    torch._dynamo.reset()


class Compiler:
    """TorchCompileModel with a backend that keeps the graphs and runs them as they are."""

    def __init__(self) -> None:
        self.graphs: list[Any] = []

    def __call__(self, graph: Any, inputs: Any) -> Callable[..., Any]:
        self.graphs.append(graph)
        return graph.forward

    def on(self, model: Any) -> Any:
        from comfy_api.torch_helpers import set_torch_compile_wrapper
        from comfy_extras.nodes_torch_compile import skip_torch_compile_dict

        model = model.clone(disable_dynamic=True)
        options = {"guard_filter_fn": skip_torch_compile_dict}
        set_torch_compile_wrapper(model=model, backend=self, options=options)
        model.model_options["transformer_options"]["optimized_attention_override"] = torchs
        return model

    def denoise(self, model: Any, *rest: Any, **more: Any) -> Any:
        return denoise(self.on(model), *rest, **more)


def torchs(function: Any, *args: Any, **kwargs: Any) -> Any:
    """PyTorch's attention in place of the host's choice for CPUs, which breaks any graph."""
    from comfy.ldm.modules.attention import attention_pytorch

    return attention_pytorch(*args, **kwargs)


@pytest.mark.parametrize("name", METHODS)
def test_a_compiled_network_is_one_graph_and_draws_the_same(
    pack: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain network of SDXL and of SD1.5 is one graph; it must not be used where a method is in it."""
    method = method_runs.METHODS[name](pack, torch.float32)
    plain, full = method.plain(), method.draw(1.0)
    assert relative_error(plain, full) > 1e-4
    compiler = Compiler()
    monkeypatch.setattr(method_runs, "denoise", compiler.denoise)
    if name in ("InstantID", "Arc2Face expression"):
        assert relative_error(method.plain(), plain) < 1e-5
        assert len(compiler.graphs) == 1
        compiler.graphs.clear()
    for _ in range(2):
        assert relative_error(method.draw(1.0), full) < 1e-5
        assert len(compiler.graphs) == 1, "the method breaks the graph, or the same again is compiled anew"


def test_the_graph_of_one_strength_is_not_that_of_another(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's node drops the guards on what patches are."""
    method = method_runs.METHODS["Arc2Face expression"](pack, torch.float32)
    weak, full = method.draw(0.5), method.draw(1.0)
    compiler = Compiler()
    monkeypatch.setattr(method_runs, "denoise", compiler.denoise)
    for _ in range(2):
        assert relative_error(method.draw(1.0), full) < 1e-5
        assert relative_error(method.draw(0.5), weak) < 1e-5
    assert len(compiler.graphs) == 2
    assert relative_error(weak, full) > 1e-4
