"""The method that CONTRIBUTING adds in one package and one node file: taken from there, drawn, and right."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from support.fill import fill
from support.golden import relative_error
from support.sampling import denoise

from installer.paths import REPOSITORY

_FILE = re.compile(r"^`((?:likeness|nodes)/[\w/]+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WIDTH, TOKENS, SIGMA, WEIGHT = 128, 4, 1.6, 0.7

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return dict(_FILE.findall((REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def node(pack: Any, files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The example, as if it lay in the pack's own folders."""
    folder, before = tmp_path_factory.mktemp("example"), set(sys.modules)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    load(f"{pack.name}.likeness.methods.toy", folder / "likeness/methods/toy/__init__.py")
    yield load(f"{pack.name}.nodes.toy", folder / "nodes/toy.py")
    for name in set(sys.modules) - before:
        if ".toy" in name:
            del sys.modules[name]


def load(name: str, path: Path) -> ModuleType:
    places = [str(path.parent)] if path.name == "__init__.py" else None
    spec = importlib.util.spec_from_file_location(name, path, submodule_search_locations=places)
    assert spec and spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_method_is_one_small_package_and_one_node_file(files: dict[str, str]) -> None:
    package = [text for name, text in files.items() if name.startswith("likeness/methods/toy/")]
    assert sum(text.count("\n") for text in package) <= 150
    assert [name for name in files if name.startswith("nodes/")] == ["nodes/toy.py"]
    assert len(files) == len(package) + 1


def test_it_draws_what_the_plain_formula_says(pack: Any, host: Any, node: ModuleType) -> None:
    """Every cross-attention: softmax(q k) v, and WEIGHT times the same of the tokens."""
    model = host.CheckpointLoaderSimple().load_checkpoint("tiny_sd15.safetensors")[0]
    sites = pack.module("likeness.attention.sites").attention_sites(model.model.diffusion_model)
    context = sites[0].context
    content = {
        "image_proj": {
            "proj.weight": fill("proj", (TOKENS * context, WIDTH)),
            "proj.bias": fill("bias", (TOKENS * context,)),
            "norm.weight": torch.ones(context),
            "norm.bias": torch.zeros(context),
        },
        "ip_adapter": {
            f"{2 * n + 1}.to_{half}_ip.weight": fill(f"{n}{half}", (site.hidden, context))
            for n, site in enumerate(sites)
            for half in "kv"
        },
    }
    method = sys.modules[f"{pack.name}.likeness.methods.toy"]
    adapter = method.parse(content, {}, "toy.safetensors")
    identity = pack.module("likeness.values").Identity(fill("somebody", (1, WIDTH)), "sface")
    applied = node.ApplyToy.execute(model, adapter, identity, weight=WEIGHT)[0]
    prompts = [[[fill(side, (1, 77, context)), {}]] for side in ("positive", "negative")]
    x = fill("x", (1, 4, 16, 24)) * 3

    unit = F.normalize(identity.embeddings[0], dim=-1)
    projected = [content["image_proj"]["proj.weight"] @ v + content["image_proj"]["proj.bias"]
                 for v in (torch.zeros(WIDTH), unit)]  # fmt: skip
    nobody, somebody = (F.layer_norm(v.reshape(TOKENS, context), (context,)) for v in projected)
    formula = model.clone()
    for n, site in enumerate(sites):
        to_k, to_v = (content["ip_adapter"][f"{2 * n + 1}.to_{half}_ip.weight"] for half in "kv")

        def attention(q: Any, k: Any, v: Any, options: Any, to_k: Any = to_k, to_v: Any = to_v) -> Any:
            # The host lists the negative prompt of a batch first.
            assert options["cond_or_uncond"] == [1, 0]
            tokens = torch.stack([nobody, somebody])
            heads = options["n_heads"]
            return plain(q, k, v, heads) + WEIGHT * plain(q, tokens @ to_k.T, tokens @ to_v.T, heads)

        formula.set_model_attn2_replace(attention, *site.key)
    found, wanted = (torch.cat(denoise(m, *prompts, x, SIGMA)) for m in (applied, formula))
    assert relative_error(found, wanted) <= 1e-5
    assert relative_error(found, torch.cat(denoise(model, *prompts, x, SIGMA))) > 1e-4
    with pytest.raises(ValueError, match="was made with arc2face; toy"):
        node.ApplyToy.execute(model, adapter, pack.module("likeness.values").Identity(unit[None], "arc2face"))


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, heads: int) -> torch.Tensor:
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))
    weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)
