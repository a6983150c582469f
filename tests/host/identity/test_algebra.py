"""Mix, Compare and Sample Identities in the real host: sockets, growing inputs, help, execution."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any

import pytest
import torch

from installer.paths import REPOSITORY

CONTRACT = {
    "LikenessMixIdentities": ("identities weights mode", "identity"),
    "LikenessCompareIdentities": ("identity_a identity_b", "similarity report matrix"),
    "LikenessSampleIdentities": ("identities count spread min_distance seed", "identity"),
}
GROWING = ["LikenessMixIdentities", "LikenessSampleIdentities"]


def random(pack: Any, seed: int, n: int = 1, recogniser: str = "sface") -> Any:
    vectors = torch.randn(n, 512, generator=torch.Generator().manual_seed(seed))
    return pack.module("likeness.values").Identity(vectors, recogniser, source=f"person {seed}")


def prompt(node_id: str, **inputs: Any) -> dict[str, Any]:
    """Identities from files into the node into Compare, whose report and picture are looked at."""
    load = {"class_type": "LikenessLoadIdentity", "inputs": {"file": "algebra.safetensors"}}
    links = {key: ["a", 0] if value == "link" else value for key, value in inputs.items()}
    return {
        "a": load,
        "node": {"class_type": node_id, "inputs": links},
        "compare": {
            "class_type": "LikenessCompareIdentities",
            "inputs": {"identity_a": ["node", 0], "identity_b": ["a", 0]},
        },
        "show": {"class_type": "PreviewImage", "inputs": {"images": ["compare", 2]}},
    }


def errors_of(host: ModuleType, graph: dict[str, Any]) -> list[str]:
    """What the host's own validation says of a prompt."""
    import execution

    good, _, _, errors = asyncio.run(execution.validate_prompt("test", graph, None))
    found = [e["type"] + " " + e["details"] for node in errors.values() for e in node["errors"]]
    assert good == (not found)
    return found


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_sockets_are_as_promised_and_explained(pack: Any, node_id: str) -> None:
    schema = pack.node(node_id).define_schema()
    inputs, outputs = CONTRACT[node_id]
    assert [socket.id for socket in schema.inputs] == inputs.split()
    assert [socket.id for socket in schema.outputs] == outputs.split()
    assert schema.category == "Likeness/Identity"
    assert schema.description and schema.search_aliases
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])
    assert all(socket.display_name for socket in schema.outputs)


@pytest.mark.parametrize("node_id", list(CONTRACT))
def test_the_help_page_names_every_socket(node_id: str) -> None:
    page = (REPOSITORY / "web" / "docs" / f"{node_id}.md").read_text(encoding="utf-8")
    for sockets in CONTRACT[node_id]:
        for socket in sockets.split():
            assert f"- **`{socket}`**" in page, socket


@pytest.mark.parametrize("node_id", GROWING)
def test_the_page_is_told_how_the_sockets_grow(pack: Any, node_id: str) -> None:
    kind, options = pack.node(node_id).INPUT_TYPES()["required"]["identities"][:2]
    assert kind == "COMFY_AUTOGROW_V3"
    template = options["template"]
    assert (template["prefix"], template["min"], template["max"]) == ("identity_", 1, 16)
    socket = template["input"]["required"]["identity"]
    assert socket[0] == "LIKENESS_IDENTITY"
    assert socket[1]["tooltip"]


def test_the_seed_changes_after_a_run(pack: Any) -> None:
    assert pack.node("LikenessSampleIdentities").INPUT_TYPES()["required"]["seed"][1][
        "control_after_generate"
    ]


def test_the_hosts_validation_takes_growing_sockets(host: ModuleType, pack: Any, base: Any) -> None:
    folder = base / "models" / "identities"
    folder.mkdir(parents=True, exist_ok=True)
    library = pack.module("likeness.identity")
    library.save_people([library.Person(random(pack, 1, n=2))], folder / "algebra.safetensors")
    mix, sample = GROWING
    three = {f"identities.identity_{i}": "link" for i in range(3)}
    settings = {"count": 2, "spread": 0.6, "min_distance": 0.4, "seed": 1}
    assert errors_of(host, prompt(mix, **three, weights="1, 2, 3", mode="slerp")) == []
    assert errors_of(host, prompt(sample, **{"identities.identity_0": "link"}, **settings)) == []
    assert errors_of(host, prompt(mix, weights="", mode="mean")) == ["required_input_missing identity_0"]
    (wrong,) = errors_of(host, prompt(mix, **three, weights="", mode="nlerp"))
    assert "mode: 'nlerp' not in" in wrong
    found = errors_of(host, prompt(sample, **three, **{**settings, "spread": 1.5, "count": 0}))
    assert sorted(e.split()[0] for e in found) == ["value_bigger_than_max", "value_smaller_than_min"]


def test_growing_sockets_reach_the_node_as_the_host_hands_them_over(host: ModuleType, pack: Any) -> None:
    import execution

    node = pack.node("LikenessMixIdentities")
    given = {f"identities.identity_{i}": random(pack, i) for i in (0, 2)}  # one socket between is free
    inputs, _, v3_data = execution.get_input_data({**given, "weights": "1, 3", "mode": "mean"}, node, "1")
    outputs, *_ = asyncio.run(execution.get_output_data("test", "1", node(), inputs, v3_data=v3_data))
    assert outputs[0][0].source == "mean of 1 x [person 0], 3 x [person 2]"


def test_mix_compare_sample(pack: Any) -> None:
    def run(node_id: str, **inputs: Any) -> tuple[Any, ...]:
        with torch.inference_mode():  # as the executor runs nodes
            return tuple(pack.node(node_id).execute(**inputs).result)

    a, b = random(pack, 1), random(pack, 2, n=2)
    before = a.embeddings.clone(), b.embeddings.clone()
    given = {"identity_0": a, "identity_1": b}
    for mode in ("mean", "slerp", "add-subtract"):
        (mixed,) = run("LikenessMixIdentities", identities=given, weights="2, 1", mode=mode)
        assert mixed.embeddings.shape == (1, 512)
        assert mixed.source == f"{mode} of 2 x [person 1], 1 x [person 2]"
    similarity, report, matrix = run("LikenessCompareIdentities", identity_a=mixed, identity_b=b)
    assert isinstance(similarity, float) and isinstance(report, str)
    assert report.startswith(f"similarity {similarity:.3f}")
    assert matrix.shape == (1, 48 + 96, 48 + 2 * 96, 3)
    (made,) = run("LikenessSampleIdentities", identities=given, count=5, seed=3)
    assert made.embeddings.shape == (5, 512)
    (again,) = run("LikenessSampleIdentities", identities=given, count=5, seed=3)
    assert torch.equal(made.embeddings, again.embeddings)
    assert (made.recogniser, mixed.recogniser) == ("sface", "sface")
    assert torch.equal(a.embeddings, before[0]) and torch.equal(b.embeddings, before[1])


def test_what_was_made_can_be_saved_and_loaded(pack: Any, base: Any) -> None:
    given = {"identity_0": random(pack, 1), "identity_1": random(pack, 2)}
    (made,) = pack.node("LikenessSampleIdentities").execute(identities=given, count=3).result
    pack.node("LikenessSaveIdentity").execute(identity=made, filename_prefix="new/people")
    name = "new/people_00001_.safetensors"
    (loaded,) = pack.node("LikenessLoadIdentity").execute(file=name).result
    assert torch.equal(loaded.embeddings, made.embeddings)
    assert loaded.source == made.source


def test_two_recognisers_are_refused_by_name(pack: Any) -> None:
    a, b = random(pack, 1), random(pack, 2, recogniser="arc2face")
    says = r"by the recogniser sface \(.*by arc2face \(Arc2Face's arcface\.onnx\).*Embed both with the same"
    for node_id in GROWING:
        with pytest.raises(ValueError, match=says):
            pack.node(node_id).execute(identities={"identity_0": a, "identity_1": b})
    with pytest.raises(ValueError, match=says):
        pack.node("LikenessCompareIdentities").execute(identity_a=a, identity_b=b)
