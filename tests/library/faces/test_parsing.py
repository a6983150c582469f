"""The face parser: its weights, its words, its masks, and where they lie in the picture."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch
from support import parser_files
from support.parser_files import BLUE, GREEN, RED

from likeness.faces import label_masks, labels, parsing
from likeness.faces.label_masks import class_masks, freecure_mask
from likeness.faces.labels import NAMES, wanted_classes, words_to_classes
from likeness.faces.parser_weights import build_network
from likeness.faces.parsing import face_square, label, parse, parse_faces, parse_pictures
from likeness.faces.parsing_draw import COLOURS, draw_parsed
from likeness.values import Face, Faces

Labeller = Callable[[torch.Tensor], torch.Tensor]


@pytest.fixture(scope="module")
def reader() -> Labeller:
    """Calls red hair, green glasses, blue the left eye, black background."""
    network = build_network(parser_files.colours(), "colours.pth")
    return lambda normalised: label(network, normalised)


def by_colour(normalised: torch.Tensor) -> torch.Tensor:
    """The same answers pixel by pixel, without a network."""
    best, channel = normalised.max(dim=1)
    return torch.where(best > 0.01, torch.tensor([RED, GREEN, BLUE])[channel], 0).to(torch.uint8)


def stripes(height: int, width: int) -> torch.Tensor:
    """Red above green above black, in thirds, on [1, H, W, 3]."""
    picture = torch.zeros(1, height, width, 3)
    picture[:, : height // 3, :, 0] = 1
    picture[:, height // 3 : 2 * height // 3, :, 1] = 1
    return picture


def face(*box: float) -> Face:
    return Face(torch.tensor(box), torch.zeros(5, 2))


# ---- the weights


def test_the_layout_has_the_published_number_of_tensors_and_bytes() -> None:
    content = parser_files.random()
    assert len(content) == 191
    run = [v for k, v in content.items() if not k.endswith("num_batches_tracked") and "out16" not in k]
    run_bytes = sum(4 * v.numel() for v in run) - sum(
        4 * v.numel() for k, v in content.items() if "out32" in k
    )
    batch = sum(4 * v.numel() for k, v in content.items() if "out32" in k and k.endswith("tracked"))
    assert run_bytes + batch == 52_650_752
    for name in ("cp.resnet.layer1.0.conv1", "cp.conv_head32.conv", "ffm.conv1", "conv_out32.conv_out"):
        assert f"{name}.weight" in content


def test_the_network_computes_what_the_papers_say() -> None:
    content = parser_files.random()
    network = build_network(content, "x.pth")
    pictures = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    expected = parser_files.reference(content, pictures)
    assert expected.abs().max() > 0.1
    with torch.no_grad():
        off = network(pictures) - expected
    assert off.norm() / expected.norm() < 1e-5
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_files_without_counters_in_half_precision_or_nested_load_too() -> None:
    content = parser_files.random()
    plain = {k: v for k, v in content.items() if not k.endswith("num_batches_tracked")}
    for other in (
        plain,
        {"state_dict": content},
        {"epoch": torch.tensor(3), "model_state_dict": content, "optimizer": {"lr": torch.tensor(0.1)}},
        {"net": {f"module.{key}": value for key, value in content.items()}},
        {f"module.{k}": v for k, v in content.items()},
    ):
        loaded = build_network(other, "x.pth").state_dict()
        assert all(torch.equal(loaded[key], content[key]) for key in plain)
    half = build_network({k: v.half() for k, v in plain.items()}, "x.pth")
    assert all(p.dtype == torch.float32 for p in half.parameters())


def test_building_leaves_everybodys_seed_alone() -> None:
    content, before = parser_files.random(), torch.get_rng_state()
    build_network(content, "x.pth")
    assert torch.equal(torch.get_rng_state(), before)


def test_wrong_files_are_explained() -> None:
    content = parser_files.random()

    def said(changed: dict[str, torch.Tensor]) -> str:
        with pytest.raises(ValueError) as error:
            build_network(changed, "my.pth")
        return str(error.value)

    assert "my.pth is no face parser of the BiSeNet layout" in said({"lora_unet.weight": torch.zeros(1)})
    assert "its first keys: nothing" in said({})
    short = {k: v for k, v in content.items() if not k.startswith("ffm.")}
    text = said(short)
    assert "it lacks ffm.convblk.conv.weight" in text and "more" in text and "79999_iter.pth" in text
    assert "unknown tensors: sp.conv1" in said({**content, "sp.conv1": torch.zeros(1)})
    assert "other shapes for cp.arm16.conv.conv.weight" in said(
        {**content, "cp.arm16.conv.conv.weight": torch.zeros(128, 128, 3, 3)}
    )
    assert "into 11 classes instead of the 19" in said(
        {**content, "conv_out.conv_out.weight": torch.zeros(11, 256, 1, 1)}
    )
    assert "damaged: ffm.conv1.weight" in said(
        {**content, "ffm.conv1.weight": content["ffm.conv1.weight"] * float("nan")}
    )


# ---- words


def test_classes_have_the_numbers_of_the_data_set() -> None:
    numbers = {"skin": 1, "left eye": 4, "right eye": 5, "glasses": 6, "mouth": 11, "hair": 17, "hat": 18}
    assert len(NAMES) == 19 and all(NAMES[number] == name for name, number in numbers.items())
    assert sorted(labels.PARTS) == sorted(NAMES) and labels.PARTS[-1] == "background"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("curly hair and glasses", (6, 17)),
        ("Sunglasses", (6,)),
        ("eyeglasses", (6,)),
        ("blue eyes", (4, 5)),
        ("her left eye", (4,)),
        ("left and right ear, a necklace", (7, 8, 15)),
        ("left eye and ears", (4, 7, 8)),
        ("mouth", (11, 12, 13)),
        ("upper lip", (12,)),
        ("red lips", (12, 13)),
        ("eyebrows; earrings", (2, 3, 9)),
        ("dresses, left hat", (16, 18)),
        ("chair", None),
        ("a bearded man", None),
    ],
)
def test_whole_words(words: str, expected: tuple[int, ...] | None) -> None:
    if expected is None:
        with pytest.raises(ValueError, match=r"name nothing that can be masked.*sunglasses.*hair"):
            words_to_classes(words)
    else:
        assert words_to_classes(words) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [("sunglasses", (6,)), ("eyeglasses", (4, 5, 6)), ("A chair", (17,)), ("grey-eyed, Hairy", (4, 5, 17))],
)
def test_the_official_substrings(words: str, expected: tuple[int, ...]) -> None:
    assert words_to_classes(words, "substring") == expected
    with pytest.raises(ValueError, match="understood: hair, eye, glasses"):
        words_to_classes("a red hat", "substring")


def test_every_class_can_be_said_in_words() -> None:
    assert all(NAMES.index(name) in words_to_classes(name) for name in NAMES)


def test_names_and_words_are_taken_together(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert wanted_classes(["hat", "hair"], "glasses, hat") == (6, 17, 18)
    assert "ask for: glasses, hat" in caplog.text
    assert wanted_classes(["mouth"]) == (11,)
    assert wanted_classes("hat") == (18,)
    with pytest.raises(ValueError, match="Nothing is to be masked"):
        wanted_classes([], "  ")
    with pytest.raises(ValueError, match=r"classes has no 'beard'\. There are: skin, left brow"):
        wanted_classes(["hair", "beard"])
    with pytest.raises(ValueError, match="word_matching must be one of whole words, substring"):
        wanted_classes([], "hair", "fuzzy")


# ---- whole pictures


def test_the_network_sees_what_the_authors_show_it() -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    seen: list[torch.Tensor] = []

    def spy(normalised: torch.Tensor) -> torch.Tensor:
        seen.append(normalised)
        return torch.zeros(1, 512, 512, dtype=torch.uint8)

    parse_pictures(spy, torch.from_numpy(pixels[None].astype(np.float32) / 255))
    squeezed = np.asarray(Image.fromarray(pixels).resize((512, 512), Image.BILINEAR), dtype=np.float64) / 255
    expected = (squeezed - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    assert seen[0].shape == (1, 3, 512, 512) and seen[0].dtype == torch.float32
    assert np.abs(seen[0][0].permute(1, 2, 0).numpy() - expected).max() < 1e-5


@pytest.mark.parametrize(("height", "width"), [(512, 512), (300, 900), (1024, 640), (90, 60)])
def test_parts_lie_where_they_are_seen(reader: Labeller, height: int, width: int) -> None:
    parsed = parse_pictures(reader, stripes(height, width))
    assert parsed.shape == (1, height, width) and parsed.dtype == torch.int32
    third, slack = height // 3, 1 + height // 40
    assert (parsed[0, : third - slack] == 1 << RED).all()
    assert (parsed[0, third + slack : 2 * third - slack] == 1 << GREEN).all()
    assert not parsed[0, 2 * third + slack :].any()


def test_labels_are_put_back_to_the_pixel() -> None:
    """A labeller that knows the answer: each pixel is back where it came from, whatever the shape."""

    def left_upper(normalised: torch.Tensor) -> torch.Tensor:
        return (normalised[:, 0] > 0).to(torch.uint8) * RED

    picture = torch.zeros(1, 640, 1024, 3)
    picture[:, 100:350, 200:730] = 1
    assert torch.equal(parse_pictures(left_upper, picture)[0] != 0, picture[0, ..., 0] == 1)


def test_a_batch_is_as_its_pictures_alone() -> None:
    pair = torch.cat([stripes(120, 80), stripes(120, 80).flip(1)])
    before = pair.clone()
    both = parse_pictures(by_colour, pair)
    assert torch.equal(both, torch.cat([parse_pictures(by_colour, one[None]) for one in pair]))
    assert torch.equal(both, parse_pictures(by_colour, pair)) and torch.equal(pair, before)
    assert torch.equal(parse_pictures(by_colour, torch.cat([pair, torch.rand(2, 120, 80, 1)], dim=-1)), both)


def test_progress_counts_pictures_and_faces() -> None:
    told: list[int] = []

    def progress(total: int) -> Callable[[], None]:
        told.append(total)
        return lambda: told.append(-1)

    parse_pictures(by_colour, stripes(60, 60).expand(2, -1, -1, -1), progress)
    faces = Faces(stripes(60, 60), ((face(1, 1, 9, 9), face(20, 20, 40, 40), face(500, 500, 510, 510)),))
    parse_faces(by_colour, faces.images, faces, progress)
    assert told == [2, -1, -1, 3, -1, -1, -1]


# ---- faces


def test_a_face_is_cut_out_with_half_its_size_around_it() -> None:
    assert face_square(face(100, 50, 140, 110)) == (60, 20, 120)
    assert face_square(face(5, 5, 5, 5))[2] == 2


@pytest.mark.parametrize(("height", "width"), [(300, 500), (500, 300)])
@pytest.mark.parametrize("box", [(100, 90, 200, 210), (-30, -20, 80, 100), (240.4, 200.6, 420.2, 330.9)])
def test_a_crop_is_put_back_at_its_place(
    reader: Labeller, height: int, width: int, box: tuple[float, ...]
) -> None:
    """The network works in cells of 8 and knows the surroundings: near edges it may be a little off."""
    faces = Faces(stripes(height, width), ((face(*box),),))
    parsed = parse_faces(reader, faces.images, faces)[0]
    left, top, side = face_square(faces.faces[0][0])
    inside = torch.zeros(height, width, dtype=torch.bool)
    inside[max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = True
    assert inside.any() and not parsed[~inside].any()
    whole, slack = torch.zeros(height, width, dtype=torch.int32), 1 + side // 16
    whole[: height // 3], whole[height // 3 : 2 * height // 3] = 1 << RED, 1 << GREEN
    sure = inside.clone()
    for edge in (height // 3, 2 * height // 3, top, top + side, 0, height):
        sure[max(0, edge - slack) : max(0, edge + slack)] = False
    for edge in (left, left + side, 0, width):
        sure[:, max(0, edge - slack) : max(0, edge + slack)] = False
    assert sure.any() and torch.equal(parsed[sure], whole[sure])


def test_faces_of_a_picture_are_joined_and_disagreement_keeps_both() -> None:
    calls = iter([RED, GREEN])

    def labeller(normalised: torch.Tensor) -> torch.Tensor:
        return torch.full((1, 512, 512), next(calls), dtype=torch.uint8)

    faces = Faces(torch.zeros(1, 80, 100, 3), ((face(20, 20, 40, 40), face(40, 20, 60, 40)),))
    parsed = parse_faces(labeller, faces.images, faces)
    hair, glasses = (class_masks(parsed, [number])[0] for number in (RED, GREEN))
    assert hair[10:50, 10:50].all() and hair.sum() == 40 * 40
    assert glasses[10:50, 30:70].all() and glasses.sum() == 40 * 40
    assert class_masks(parsed, [0]).sum() == 80 * 100 - 60 * 40


def test_faces_are_looked_for_in_the_pictures_connected_with_them() -> None:
    found = Faces(torch.zeros(2, 90, 90, 3), ((face(30, 0, 60, 30),), (face(30, 0, 60, 30),)), (1, 3))
    batch = torch.cat([stripes(90, 90)] * 4)
    images, parsed = parse(by_colour, batch, found)
    assert images is batch
    assert [bool(one.any()) for one in parsed] == [False, True, False, True]
    images, parsed = parse(by_colour, batch[:2], found)
    assert all(one.any() for one in parsed)
    images, own = parse(by_colour, None, found)
    assert images is found.images and not own.any()
    with pytest.raises(ValueError, match=r"90 x 60.*90 x 90"):
        parse(by_colour, stripes(60, 90), found)


def test_own_pictures_of_skipped_batches_keep_their_order(caplog: pytest.LogCaptureFixture) -> None:
    images = torch.cat([stripes(90, 90)] * 2)
    parsed = parse_faces(by_colour, images, Faces(images, ((face(30, 0, 60, 30),), ()), (1, 0)))
    assert parsed[0].any() and not parsed[1].any()
    assert caplog.messages == ["No face in picture 0 (counted from 0): nothing is parsed there."]


def test_bad_input_is_explained() -> None:
    with pytest.raises(ValueError, match="connect image, or faces"):
        parse(by_colour)
    with pytest.raises(ValueError, match="holds no picture"):
        parse(by_colour, torch.zeros(0, 8, 8, 3))
    with pytest.raises(ValueError, match="every picture was skipped"):
        parse(by_colour, None, Faces(torch.zeros(0, 8, 8, 3), ()))
    with pytest.raises(ValueError, match=r"IMAGE \[pictures, height"):
        parse(by_colour, torch.zeros(8, 8, 3))
    with pytest.raises(ValueError, match="NaN or infinity in picture 1"):
        parse(by_colour, torch.stack([torch.zeros(8, 8, 3), torch.full((8, 8, 3), float("nan"))]))


# ---- masks


def disc(size: int, radius: float) -> torch.Tensor:
    at = torch.arange(size) - (size - 1) / 2
    return at[:, None] ** 2 + at[None, :] ** 2 <= radius**2


def test_classes_are_masked_together_and_background_is_the_rest() -> None:
    parsed = torch.tensor([[[0, 1 << 17, 1 << 6, 1 << 17 | 1 << 6]]], dtype=torch.int32)
    before = parsed.clone()
    assert class_masks(parsed, [17])[0, 0].tolist() == [0, 1, 0, 1]
    assert class_masks(parsed, [17, 6])[0, 0].tolist() == [0, 1, 1, 1]
    assert class_masks(parsed, [0, 17])[0, 0].tolist() == [1, 1, 0, 1]
    assert torch.equal(parsed, before)


@pytest.mark.parametrize("grow", [-7, 7, 30])
def test_growing_moves_the_edge_by_the_true_distance(grow: int) -> None:
    grown = class_masks((disc(200, 50) << 17).to(torch.int32)[None], [17], grow)[0] != 0
    wrong = grown != disc(200, 50 + grow)
    ring = ~disc(200, 49 + grow) & disc(200, 51 + grow)
    assert not (wrong & ~ring).any()


def test_shrinking_stops_at_the_pictures_border() -> None:
    parsed = torch.zeros(1, 40, 40, dtype=torch.int32)
    parsed[:, :20] = 1 << 17
    assert class_masks(parsed, [17], -5)[0].sum(dim=1).tolist() == [40] * 15 + [0] * 25


def test_feathering_fades_both_ways() -> None:
    parsed = torch.zeros(1, 60, 60, dtype=torch.int32)
    parsed[:, :30] = 1 << 17
    soft = class_masks(parsed, [17], feather=6)[0, :, 30]
    assert soft[29] + soft[30] == pytest.approx(1, abs=1e-5)
    assert soft[22] == pytest.approx(1) and 0 < soft[33] < soft[30] and soft[37] == 0


def test_empty_masks_are_zeros_and_never_silent(caplog: pytest.LogCaptureFixture) -> None:
    parsed = torch.zeros(3, 30, 30, dtype=torch.int32)
    parsed[0], parsed[1, 4:8, 4:8] = 1 << 17, 1 << 17
    masks = class_masks(parsed, [17, 18], -4, 2)
    assert masks.dtype == torch.float32 and masks[0].all() and not masks[1:].any()
    assert caplog.messages == [
        "No hair, hat in picture 2 (counted from 0): the mask is empty there.",
        "The mask of picture 1 (counted from 0) is empty: shrunk to nothing.",
    ]


@pytest.mark.parametrize("radius", [20.3, 100, 171.7, 240])
def test_freecures_mask_is_that_of_an_independent_resize(radius: float) -> None:
    """Spec B9: a disc of 512, then 128, then the grids of the layers."""
    import cv2

    inside = disc(512, radius)
    at_128 = freecure_mask(inside[None].float())[0]
    eighty = cv2.resize(inside.numpy().astype(np.uint8) * 255, (128, 128), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(at_128.numpy() == 1, eighty == 255)
    # By hand: four pixels become one, whose centre lies between the middle two.
    middle = inside.unflatten(0, (128, 4))[:, 1:3].unflatten(2, (128, 4))[..., 1:3]
    assert torch.equal(at_128 == 1, middle.all(dim=3).all(dim=1))
    for grid in (64, 32):
        nearest = torch.nn.functional.interpolate(at_128[None, None], (grid, grid))[0, 0]
        step = 128 // grid
        assert torch.equal(nearest, at_128[::step, ::step])
    assert 0 < at_128.sum() * 16 < inside.sum()  # a slight erosion


def test_freecures_mask_of_other_shapes() -> None:
    masks = torch.zeros(2, 768, 512)
    masks[0, 100:300, 100:200], masks[1] = 1, 1
    small = freecure_mask(masks, (96, 64))
    assert small.shape == (2, 96, 64) and small[1].all() and set(small.unique().tolist()) == {0, 1}
    assert small[0, 13:37, 13:25].all() and small[0].sum() < 26 * 13
    assert torch.equal(freecure_mask(masks * 0.6, (96, 64)), small)
    assert not freecure_mask(torch.zeros(1, 512, 512)).any()
    assert torch.equal(freecure_mask(torch.ones(1, 100, 70)), torch.ones(1, 128, 128))
    with pytest.raises(ValueError, match="mask for FreeCure must be"):
        freecure_mask(torch.zeros(8, 8))


# ---- showing


def test_the_drawing_keeps_the_picture_and_names_the_parts() -> None:
    assert len(COLOURS) == len(set(COLOURS)) == len(NAMES)
    images = torch.rand(2, 600, 400, 4, generator=torch.Generator().manual_seed(3))
    parsed = torch.zeros(2, 600, 400, dtype=torch.int32)
    parsed[0, :100], parsed[1, :, :50] = 1 << 17, 1 << 6
    before = images.clone()
    drawn = draw_parsed(images, parsed, [17, 18])
    assert torch.equal(images, before) and drawn.dtype == torch.float32
    assert drawn.shape[:2] == (2, 600) and drawn.shape[2] > 500 and drawn.shape[3] == 3
    assert torch.equal(drawn[0, 100:, :400], images[0, 100:, :, :3])
    assert (drawn[0, :100, :400] != images[0, :100, :, :3]).any(dim=-1).all()
    assert torch.equal(drawn[0, :, 400:], drawn[1, :, 400:])
    shown = {tuple(round(255 * v) for v in row) for row in drawn[0, :, 400 + 15].tolist()}
    assert {COLOURS[17], COLOURS[6], COLOURS[18]} <= shown and COLOURS[1] not in shown
    assert draw_parsed(images[..., :1], parsed, [17]).shape == drawn.shape


def test_small_pictures_get_rows_for_the_legend() -> None:
    parsed = torch.zeros(1, 20, 30, dtype=torch.int32)
    drawn = draw_parsed(torch.ones(1, 20, 30, 3), parsed, range(19))
    assert drawn.shape[1] == 19 * 14 and drawn[0, :20, :30].eq(1).all() and not drawn[0, 20:, :30].any()


def test_the_parts_of_the_module_agree() -> None:
    assert label_masks.FREECURE_SIZE == (128, 128) and parsing.SIZE == 512
