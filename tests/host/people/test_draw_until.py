"""Draw Until in the real host: what it draws is what Sampler Custom Advanced draws; a told VAE shows
photos.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.told_vae import ToldVAE

INPUTS = (
    "guider noise sampler sigmas latent_image vae cast face_models at_least tries keep recogniser drawn_by "
    "allow_same hard_places"
)

pytestmark = pytest.mark.usefixtures("as_the_executor_does")


@pytest.fixture(scope="module")
def room(pack: Any, host: Any, models: Any, people: Any) -> SimpleNamespace:
    import comfy.samplers
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

    model, clip, _ = host.CheckpointLoaderSimple().load_checkpoint("tiny_sdxl.safetensors")
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(*(host.CLIPTextEncode().encode(clip, text)[0] for text in ("a face", "")))
    guider.set_cfg(3.0)
    sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "normal", 1)
    given = {
        "guider": guider,
        "noise": Noise_RandomNoise(7),
        "sampler": comfy.samplers.sampler_object("euler_ancestral"),
        "sigmas": sigmas,
        "latent_image": {"samples": torch.zeros(1, 4, 8, 16)},
    }

    def draw(vae: ToldVAE, **options: Any) -> Any:
        inputs = {**given, "vae": vae, "cast": barack, "face_models": models, **options}
        accepted, rejected, table, passed, seeds = pack.node("LikenessDrawUntil").execute(**inputs).result
        return SimpleNamespace(accepted=accepted, rejected=rejected, table=table, passed=passed, seeds=seeds)

    barack = people.cast(people.member("Barack", "obama3"))
    return SimpleNamespace(draw=draw, given=given, barack=barack)


def test_sockets_are_as_promised_and_explained(pack: Any) -> None:
    schema = pack.node("LikenessDrawUntil").define_schema()
    assert [socket.id for socket in schema.inputs] == INPUTS.split()
    assert [socket.id for socket in schema.outputs] == ["accepted", "rejected", "table", "passed", "seeds"]
    assert all(socket.tooltip for socket in [*schema.inputs, *schema.outputs])


def test_it_draws_until_somebody_is_right_and_says_seeds_and_cost(room: Any, people: Any) -> None:
    vae = ToldVAE([people.picture("biden"), people.picture("coffee"), people.picture("obama2")])
    before = torch.random.get_rng_state()
    done = room.draw(vae, tries=5)
    assert done.passed and done.seeds == "9" and len(vae.seen) == 3
    assert torch.equal(done.accepted, vae.pictures[2])
    assert torch.equal(done.rejected, torch.cat(vae.pictures[:2]))
    assert "Barack missing; rejected" in done.table and "seed 9, picture 0: Barack 0." in done.table
    assert "The first try took" in done.table and "up to 4 more" in done.table
    assert torch.equal(torch.random.get_rng_state(), before)


def test_each_try_is_what_the_hosts_sampler_draws_with_its_seed(room: Any, people: Any) -> None:
    """Not square, either."""
    from comfy_extras.nodes_custom_sampler import Noise_RandomNoise, SamplerCustomAdvanced

    vae = ToldVAE([people.picture("biden")])
    room.draw(vae, tries=3)
    for number, latent in enumerate(vae.seen):
        given = {**room.given, "noise": Noise_RandomNoise(7 + number)}
        assert torch.equal(latent, SamplerCustomAdvanced.execute(**given).result[0]["samples"]), number


def test_the_first_that_pass_then_the_best(room: Any, people: Any) -> None:
    batches = [people.batch("biden", "coffee"), people.batch("obama", "astronaut")]
    vae = ToldVAE(batches)
    latent = {"samples": torch.zeros(2, 4, 8, 8)}
    done = room.draw(vae, tries=2, keep=2, latent_image=latent)
    assert not done.passed and done.accepted.shape[0] == 2 and done.rejected.shape[0] == 2
    assert torch.equal(done.accepted[0], batches[1][0])
    assert done.seeds.startswith("8,")
    both = room.draw(ToldVAE([people.batch("obama", "obama2")]), tries=2, keep=2, latent_image=latent)
    assert both.passed and both.seeds == "7,7" and type(both.rejected).__name__ == "ExecutionBlocker"
    assert "The first try" not in both.table


def test_a_face_that_is_another_ones_of_the_cast_does_not_pass(room: Any, people: Any, pack: Any) -> None:
    """Bo looks like Barack and nearly as much like Joe, whose face stands twice in the first picture."""
    identity = pack.module("likeness.values").Identity
    joe, barack = people.member("Joe", "biden", "right"), people.member("Bo", "obama3", "left")
    faces = [
        torch.nn.functional.normalize(one.identities["sface"].embeddings, dim=1) for one in (barack, joe)
    ]
    both = {**barack.identities, "sface": identity(faces[0] + 0.8 * faces[1], "sface")}
    cast = people.cast(type(barack)("Bo", both, "left"), joe)
    vae = ToldVAE([people.picture("biden", "biden"), people.picture("obama2", "biden")])
    done = room.draw(vae, cast=cast, tries=3)
    assert done.passed and len(vae.seen) == 2
    assert "rejected, Bo is more like Joe" in done.table and "kept as 1" in done.table


def test_the_users_own_calibration_is_used(room: Any, people: Any, base: Path) -> None:
    file = base / "models" / "identities" / "calibration.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        '{"format": "likeness-calibration/1", "recognisers": {"sface": {"points": '
        '[{"similarity": -1, "one_in": 10}, {"similarity": 0.4, "one_in": 100}], "source": "ours"}}}'
    )
    try:
        done = room.draw(ToldVAE([people.picture("obama2")]), at_least="1 in 100", tries=1)
    finally:
        file.unlink()
    assert done.passed and "everybody at 0.400 or more" in done.table and "Source: ours" in done.table
    assert "(at least 100); kept as 1" in done.table


def test_three_runs_are_one(room: Any, people: Any) -> None:
    runs = [room.draw(ToldVAE([people.picture("biden")]), tries=2) for _ in range(3)]
    assert all(torch.equal(run.accepted, runs[0].accepted) and run.seeds == runs[0].seeds for run in runs)


def test_bad_input_has_its_sentence(room: Any, people: Any, host: Any) -> None:
    from comfy_extras.nodes_custom_sampler import Noise_EmptyNoise

    vae = ToldVAE([people.picture("biden")])
    for wrong, sentence in (
        ({"noise": Noise_EmptyNoise()}, "noise is the same for every seed"),
        ({"sigmas": torch.zeros(1)}, "sigmas holds no step"),
        ({"latent_image": {"samples": torch.zeros(1, 4, 3, 8, 8)}}, "latent_image is a clip"),
        ({"keep": 3, "tries": 2}, "keep is 3, but 2 tries of 1 pictures draw only 2"),
        ({"drawn_by": "sface"}, "it finds what it ordered"),
        ({"at_least": "often"}, "neither a similarity"),
    ):
        with pytest.raises(ValueError, match=sentence):
            room.draw(vae, **wrong)
    assert not vae.seen
