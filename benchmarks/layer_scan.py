"""`python benchmarks/layer_scan.py --help`: what each cross-attention layer does with an expression, alone.

EmojiDiff's first abstract speaks of expression-sensitive layers and does not list them; this finds those of a
trained adapter on your model. For every layer alone, none and all: how far the drawn expression is from the
template's, how like the person drawn without the adapter, how far colours and style move. Writes a table
(Markdown, CSV) and a plot. Spec: pva_freecure_emojidiff.md C.2. Runs in the environment of
`python install.py --test`, with any ComfyUI's model files; the numbers of untrained weights mean nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(REPOSITORY))

from benchmarks.layer_report import ALL, NONE, Row, write_report  # noqa: E402
from benchmarks.layer_room import How, Room, open_room  # noqa: E402
from benchmarks.start import in_environment  # noqa: E402

#: Grey in the place of the face, when the style around it is compared.
_GREY = 0.5


def scan(room: Room, how: How) -> Iterator[Row]:
    """A row for none, for all, then for each layer of the adapter in the order of its file."""
    plain = [_draw(room, room.model, how, seed) for seed in range(how.seeds)]
    looks = [_Look(room, picture) for picture in plain]
    yield _row(room, NONE, "", plain, looks)
    yield _row(room, ALL, "", [_with(room, how, "all", "", s) for s in range(how.seeds)], looks)
    for number, where in _layers(room):
        made = [_with(room, how, "custom", str(number), seed) for seed in range(how.seeds)]
        yield _row(room, str(number), where, made, looks)


def _layers(room: Room) -> list[tuple[int, str]]:
    """Numbers in the file, and where in the network each is: `input 4.1`."""
    sites, pairs = room.adapter.layers.match(room.model.model.diffusion_model, "the model", "Give its own")
    return [
        (room.adapter.layers.number(pair), f"{site.key[0]} {site.key[1]}.{site.key[2]}")
        for site, pair in zip(sites, pairs, strict=True)
    ]


def _with(room: Room, how: How, layers: str, numbers: str, seed: int) -> Any:
    from likeness.attention.use import Use
    from likeness.methods.emojidiff.apply import apply

    model = apply(room.model, room.adapter, room.tokens, Use(how.weight), layers, numbers)
    return _draw(room, model, how, seed)


def _draw(room: Room, model: Any, how: How, seed: int) -> Any:
    """A picture [1, H, W, 3]: KSampler's way with Euler."""
    import torch

    from likeness.host.sampling import sample

    latent = torch.zeros(1, 4, how.height // 8, how.width // 8)
    drawn = sample(
        model,
        room.positive,
        room.negative,
        latent,
        seed=how.start + seed,
        steps=how.steps,
        cfg=how.cfg,
        sampler="euler",
        scheduler="normal",
    )
    return room.vae.decode(drawn)[..., :3].float().cpu().clamp(0, 1)


class _Look:
    """What is measured of the picture drawn without the adapter; the others are compared with it."""

    def __init__(self, room: Room, picture: Any) -> None:
        from likeness.faces.detect import detect

        self.faces = detect(room.faces, picture)
        self.colours = _colours(picture)
        self.vector = _vector(room, self.faces)
        self.style = self.style_of(room, picture)

    def style_of(self, room: Room, picture: Any) -> Any:
        """CLIP's vector of the picture, the face that was drawn without the adapter hidden."""
        hidden = picture.clone()
        for face in self.faces.faces[0]:
            x1, y1, x2, y2 = (max(0, round(v)) for v in face.box.tolist())
            hidden[:, y1:y2, x1:x2] = _GREY
        return room.vision.encode_image(hidden)["image_embeds"][0].float().cpu()


def _row(room: Room, layer: str, where: str, pictures: Sequence[Any], looks: Sequence[_Look]) -> Row:
    import torch

    from likeness.expressions.score import score_expressions
    from likeness.faces.detect import detect

    gaps, likes, colours, styles = [], [], [], []
    for picture, look in zip(pictures, looks, strict=True):
        scores = score_expressions(room.faces, picture, room.template, room.landmarker, if_no_face="skip")
        vector = _vector(room, detect(room.faces, picture))
        if scores.distances[0] is not None:
            gaps.append(scores.distances[0])
        if vector is not None and look.vector is not None:
            likes.append(float(torch.cosine_similarity(vector, look.vector, dim=0)))
        colours.append(float((_colours(picture) - look.colours).square().mean().sqrt()))
        style = look.style_of(room, picture)
        styles.append(1 - float(torch.cosine_similarity(style, look.style, dim=0)))
    return Row(layer, where, _mean(gaps), _mean(likes), _mean(colours), _mean(styles), len(gaps))


def _vector(room: Room, faces: Any) -> Any:
    """Who the largest face of a picture is, or None."""
    from likeness.faces.choose import select
    from likeness.faces.embed import embed
    from likeness.faces.models import first_there

    name = first_there(room.faces, room.faces.recognisers)
    if not faces.count or name is None:
        return None
    return embed(room.faces, select(faces, "largest", "0"), name).faces[0][0].embeddings[name]


def _colours(picture: Any) -> Any:
    """Mean and spread of each channel, [6]."""
    import torch

    flat = picture.flatten(0, 2)
    return torch.cat([flat.mean(dim=0), flat.std(dim=0)])


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        "python benchmarks/layer_scan.py", description=(__doc__ or "").split("\n\n")[1]
    )
    add = made.add_argument
    add("--checkpoint", required=True, help="SD1.5 or SDXL checkpoint file")
    add("--eadapter", required=True, help="the adapter's file")
    add("--clip-vision", required=True, help="file of the CLIP vision model the adapter was trained with")
    add("--template", required=True, help="a photo with the expression")
    add("--landmarker", help="mediapipe_face_fp32.safetensors: compare blendshapes, not ratios of the mesh")
    add("--output", default="layer_scan", help="folder for table and plot (default: %(default)s)")
    add("--prompt", default="portrait photo of a person, studio light", help="(default: %(default)s)")
    add("--negative", default="", help="negative prompt")
    add("--seeds", type=int, default=4, help="pictures per layer (default: %(default)s)")
    add("--seed", type=int, default=0, help="the first (default: %(default)s)")
    add("--size", type=int, default=512, help="side of a picture (default: %(default)s)")
    add("--steps", type=int, default=30, help="of Euler (default: %(default)s)")
    add("--cfg", type=float, default=5.0, help="(default: %(default)s)")
    add("--weight", type=float, default=1.0, help="of the adapter (default: %(default)s)")
    add("--cpu", action="store_true", help="use no graphics card")
    return made


def main(arguments: Sequence[str] | None = None) -> list[Row]:
    """Scan, write, print. Runs where ComfyUI can be imported."""
    import torch

    options = parser().parse_args(arguments)
    how = How(
        options.seeds,
        options.size,
        options.size,
        options.steps,
        options.cfg,
        options.weight,
        options.seed,
    )
    rows = []
    with torch.inference_mode():
        for row in scan(open_room(options), how):
            print(row, flush=True)
            rows.append(row)
    print(write_report(rows, Path(options.output)))
    return rows


if __name__ == "__main__":
    in_environment(__file__, sys.argv[1:])
    from comfy.cli_args import args

    args.cpu = parser().parse_args().cpu
    from comfy.utils import set_progress_bar_enabled

    set_progress_bar_enabled(False)
    main()
