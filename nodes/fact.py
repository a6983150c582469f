"""FaceChain-FACT: load it and its face network, turn photos into tokens, apply them to a model."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..likeness import host
from ..likeness.choices import fact as choices
from ..likeness.methods import fact as method
from ..likeness.values import FACT, FACT_TOKENS, TRANSFACE
from .common import LoadFile, mask_input, model_output, output, weight_input, window_inputs
from .photos import EncodePhotos, photo_inputs

FACTType, TransFaceType, TokensType = (io.Custom(name) for name in (FACT, TRANSFACE, FACT_TOKENS))


class LoadFACT(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFACT",
            display_name="Load FACT",
            category="Likeness/FACT",
            description="Loads FaceChain-FACT, which draws a person with SD1.5 and leaves most of the base "
            "model's own look: a gate before the text instead of attention beside it.",
            search_aliases=["facechain", "fact loader", "face adapter", "modelscope portrait"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_files(),
                    tooltip="An adapter in models/fact: adapter_maj_mask_large_new_reg001_faceshuffle_"
                    "00290001.ckpt for majicMIX realistic v6, or adapter_film_... for a film look.",
                )
            ],
            outputs=[output(FACTType, "fact", "For Encode FACT and Apply FACT.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method


class LoadTransFace(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadTransFace",
            display_name="Load TransFace",
            category="Likeness/FACT",
            description="Loads TransFace-S, the face network that FACT listens to. It is read once; the host "
            "frees its place on the graphics card when others need it.",
            search_aliases=["transface", "facechain", "ms1mv2", "vision transformer", "face tokens"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_encoders(),
                    tooltip="The file ms1mv2_model_TransFace_S.pt in models/fact. The one trained on "
                    "Glint360K looks the same and does not fit.",
                )
            ],
            outputs=[output(TransFaceType, "transface", "For Encode FACT.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method.transface


class EncodeFACT(EncodePhotos):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessEncodeFACT",
            display_name="Encode FACT",
            category="Likeness/FACT",
            description="Turns photos of one person into the tokens that FACT draws them by: 16 for each "
            "photo. One is enough.",
            search_aliases=["facechain", "fact identity", "reference photos", "face to tokens", "head mask"],
            inputs=[
                FACTType.Input("fact", tooltip="From Load FACT."),
                TransFaceType.Input("transface", tooltip="From Load TransFace."),
                *photo_inputs(
                    "Photos of the person, of any size; in each the surest face is taken.",
                    "Detect or Select Faces, the surest of each picture.",
                    "all but the head becomes black, as FACT was trained. Without it the surroundings have a "
                    "small part in who it is.",
                    most=choices.MOST_PHOTOS,
                ),
                io.Combo.Input(
                    "negative",
                    options=list(choices.NEGATIVES),
                    default=choices.ZEROS,
                    tooltip="What negative prompts look at. zeros: nobody, as the authors' applications have "
                    "it. same: the person, too; then guidance goes along the words alone.",
                ),
                io.Boolean.Input(
                    "align",
                    default=True,
                    tooltip="Find the face of each photo and cut it out upright, 112 x 112. Off: images are "
                    "such pictures already, as the output prepared gives them.",
                ),
            ],
            outputs=[
                output(TokensType, "fact_tokens", "For Apply FACT."),
                output(io.Image, "prepared", "What TransFace sees of each photo, 112 x 112."),
            ],
        )

    @classmethod
    def execute(
        cls,
        fact: Any,
        transface: Any,
        images: Any = None,
        faces: Any = None,
        face_parser: Any = None,
        negative: str = choices.ZEROS,
        align: bool = True,
    ) -> io.NodeOutput:
        labeller = None if face_parser is None else face_parser.ready()
        tokens, seen = method.encode(fact, transface, images, faces, labeller, negative, not align)
        return io.NodeOutput(tokens, host.running.to_image(seen))


class ApplyFACT(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessApplyFACT",
            display_name="Apply FACT",
            category="Likeness/FACT",
            description="Lets an SD1.5 model draw a person: in each block a gate looks at the face before "
            "the words are read, so that the prompt keeps its say.",
            search_aliases=["facechain", "fact", "identity", "portrait", "gated self-attention"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="An SD1.5 model, best the one that the adapter was made for, with LoRAs if you "
                    "like. It is not changed.",
                ),
                FACTType.Input("fact", tooltip="From Load FACT."),
                TokensType.Input("fact_tokens", tooltip="Who to draw, from Encode FACT."),
                weight_input(
                    "Strength of the person: 0.5 is what the authors set; 1 and more are possible.",
                    choices.WEIGHT,
                    choices.LARGEST_WEIGHT,
                ),
                *window_inputs("person"),
                mask_input("person"),
            ],
            outputs=[model_output("The model with the person.")],
        )

    @classmethod
    def execute(
        cls,
        model: Any,
        fact: Any,
        fact_tokens: Any,
        weight: float = choices.WEIGHT,
        start: float = 0.0,
        end: float = 1.0,
        mask: Any = None,
    ) -> io.NodeOutput:
        use = method.Use(weight, start, end, mask)
        return io.NodeOutput(method.apply(model, fact, fact_tokens, use))


NODES: list[type[io.ComfyNode]] = [LoadFACT, LoadTransFace, EncodeFACT, ApplyFACT]
