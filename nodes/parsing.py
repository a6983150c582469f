"""Parsing: masks of hair, glasses, eyes and the other parts of a face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices.faces import MATCHING, PARTS, WHOLE_WORDS, list_parsers
from ..likeness.faces import label_masks, labels, parser_files, parsing, parsing_draw
from ..likeness.values import FACES
from .common import LoadFile, mask_edge_inputs, output

FaceParserType = io.Custom("LIKENESS_FACE_PARSER")


class LoadFaceParser(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceParser",
            display_name="Load Face Parser",
            category="Likeness/Regions",
            description=(
                "Loads the network that tells hair, glasses, eyes, mouth, hat and other parts of a face "
                "apart. It is read once; the host frees its place on the graphics card when others need it."
            ),
            search_aliases=["bisenet", "face parsing", "face segmentation", "79999_iter", "hair mask"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=list_parsers(),
                    tooltip="A file of models/face_parsing: 79999_iter.pth of the project "
                    "face-parsing.PyTorch (elsewhere called parsing_bisenet.pth).",
                )
            ],
            outputs=[output(FaceParserType, "face_parser", "For Parse Faces.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return parser_files


class ParseFaces(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessParseFaces",
            display_name="Parse Faces",
            category="Likeness/Regions",
            description=(
                "Makes a mask of chosen parts: hair, glasses, eyes, mouth, hat and others. With faces, each "
                "face is looked at by itself: better for small faces and several people. With image alone, "
                "the picture as a whole: for portraits."
            ),
            search_aliases=["face parsing", "bisenet", "hair mask", "segment face", "attribute mask"],
            inputs=[
                FaceParserType.Input("face_parser", tooltip="The network, from Load Face Parser."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The pictures to look at. Alone, each is squeezed to 512 x 512 as a whole. With "
                    "faces too: the faces are looked for in these pictures, of the same size as theirs.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="From Detect or Select Faces: each face is cut out with half its size around it, "
                    "and put back at its place. They bring their pictures; image is not needed.",
                ),
                io.MultiCombo.Input(
                    "classes",
                    options=list(PARTS),
                    default=["hair"],
                    tooltip="The parts to mask, together. mouth is the inside between the lips. Left and "
                    "right are named as in the parser's data set.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    tooltip="More parts as free text, added to classes: curly hair and glasses. A word that "
                    "means no part is passed over.",
                ),
                io.Combo.Input(
                    "word_matching",
                    options=list(MATCHING),
                    default=WHOLE_WORDS,
                    tooltip="whole words: each word by itself, so that eyeglasses means glasses only. "
                    "substring: as FreeCure's code, which looks for hair, eye and glasses anywhere, "
                    "so that eyeglasses means eyes too.",
                ),
                *mask_edge_inputs(),
            ],
            outputs=[
                output(
                    io.Mask,
                    "mask",
                    "One mask per picture, in its size. It is empty where none of the parts is seen; "
                    "the log says so.",
                ),
                output(
                    io.Image, "labels", "The pictures with every part in a colour, and a legend beside them."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        face_parser: Any,
        image: Any = None,
        faces: Any = None,
        classes: Sequence[str] = ("hair",),
        words: str = "",
        word_matching: str = WHOLE_WORDS,
        grow: int = 0,
        feather: int = 0,
    ) -> io.NodeOutput:
        wanted = labels.wanted_classes(classes, words, word_matching)
        images, parsed = parsing.parse(face_parser.ready(), image, faces, host.running.progress)
        mask = label_masks.class_masks(parsed, wanted, grow, feather)
        return io.NodeOutput(
            host.running.to_image(mask),
            host.running.to_image(parsing_draw.draw_parsed(images, parsed, wanted)),
        )


NODES: list[type[io.ComfyNode]] = [LoadFaceParser, ParseFaces]
