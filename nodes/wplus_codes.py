"""W+ codes: made of photos, mixed, edited by sliders, saved and loaded. Its sliders are in web/js/sliders."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io, ui

from ..likeness import host
from ..likeness.choices import wplus as choices
from ..likeness.choices.faces import ERROR, IF_NO_FACE
from ..likeness.methods import wplus as method
from ..likeness.values import FACE_ENCODER, FACES, WPLUS, WPLUS_DIRECTION
from .common import LoadFile, output
from .wplus import CATEGORY

EncoderType, CodeType = io.Custom(FACE_ENCODER), io.Custom(WPLUS)
DirectionType = io.Custom(WPLUS_DIRECTION)


def layers_input() -> io.String.Input:
    return io.String.Input(
        "layers",
        default=choices.ALL,
        tooltip="Which of the code's 18 layers: all, or numbers and ranges such as 0-7 (pose and shape), "
        "8-17 (colours).",
    )


class LoadFaceEncoder(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadFaceEncoder",
            display_name="Load Face Encoder",
            category=CATEGORY,
            description="Loads e4e, which turns a portrait into a StyleGAN code (W+). Of its file only the "
            "encoder is read. Its data allow no commercial use.",
            search_aliases=["e4e", "encoder4editing", "stylegan inversion", "w+", "wplus"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_encoders(),
                    tooltip="A file of models/e4e: e4e_ffhq_encode.pt.",
                )
            ],
            outputs=[output(EncoderType, "face_encoder", "For Encode W+.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method.e4e


class EncodeWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        photo = io.Image.Input("image", tooltip="A photo of the person, or a batch of them.")
        photos = io.Autogrow.TemplatePrefix(photo, prefix="image_", min=0, max=16)
        return io.Schema(
            node_id="LikenessEncodeWPlus",
            display_name="Encode W+",
            category=CATEGORY,
            description="Turns photos of one person into a W+ code: each is aligned, its background made "
            "white, and looked at by e4e. A code can be mixed with others and edited by sliders.",
            search_aliases=["e4e encode", "wplus", "stylegan inversion", "face to code", "ffhq align"],
            inputs=[
                EncoderType.Input("face_encoder", tooltip="From Load Face Encoder."),
                io.Autogrow.Input(
                    "images",
                    template=photos,
                    optional=True,
                    tooltip="Photos of the person. They may differ in size. The largest face of each counts.",
                ),
                io.Custom(FACES).Input(
                    "faces",
                    optional=True,
                    tooltip="In place of images: from Select Faces, where a photo shows several people.",
                ),
                io.Custom("LIKENESS_FACE_PARSER").Input(
                    "face_parser",
                    optional=True,
                    tooltip="From Load Face Parser: background and clothes become white, as in training. "
                    "Without it they stay; the authors see little difference.",
                ),
                io.Combo.Input(
                    "align",
                    options=list(choices.ALIGNS),
                    default=choices.FFHQ,
                    tooltip="ffhq: bring the face into the position of the FFHQ photos. none: the photos are "
                    "such portraits already.",
                ),
                io.Combo.Input(
                    "if_no_face",
                    options=list(IF_NO_FACE),
                    default=ERROR,
                    tooltip="What to do with photos without a face: stop with an error that names them, skip "
                    "them (the log names them), or pass them through as portraits.",
                ),
                io.Combo.Input(
                    "combine",
                    options=list(choices.COMBINE),
                    default=choices.MEAN,
                    tooltip="Of several photos: mean is one code, their average. each is one code for each "
                    "photo, which go to the pictures of a batch one by one.",
                ),
            ],
            outputs=[
                output(CodeType, "wplus", "Who is in the photos."),
                output(io.Image, "prepared", "What the encoder saw of each photo, 256 x 256."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> str:
        return str(method.fingerprint_faces())

    @classmethod
    def execute(
        cls,
        face_encoder: Any,
        images: Any = None,
        faces: Any = None,
        face_parser: Any = None,
        align: str = choices.FFHQ,
        if_no_face: str = ERROR,
        combine: str = choices.MEAN,
    ) -> io.NodeOutput:
        photos = method.photos_of(images, faces, align, if_no_face)
        prepared = method.prepare(photos, face_parser.ready() if face_parser is not None else None)
        wplus = method.encode(face_encoder, prepared, combine)
        return io.NodeOutput(wplus, host.running.to_image((prepared.movedim(1, -1) + 1) / 2))


class LoadWPlusDirection(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadWPlusDirection",
            display_name="Load W+ Direction",
            category=CATEGORY,
            description="Takes one direction, such as smile or pose, out of a file in "
            "models/wplus_directions.",
            search_aliases=["ganspace", "interfacegan", "latent direction", "face slider", "precisecontrol"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=choices.list_directions(),
                    tooltip="A file of models/wplus_directions: PreciseControl's all_delta_w_dict.json (20 "
                    "directions), or one of .npy, .pt or .safetensors.",
                ),
                io.String.Input(
                    "direction",
                    default="smile",
                    tooltip="Which of the file, such as smile, age80, eyeglasses or pose; pc0, pc1, ... of "
                    "principal components (GANSpace). Empty: the only one.",
                ),
            ],
            outputs=[output(DirectionType, "direction", "For Edit W+.")],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None) -> bool:
        # A missing file is explained in execute, with the folders that were searched.
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str | None = None, direction: str = "") -> str:
        return method.directions.fingerprint(file)

    @classmethod
    def execute(cls, file: str, direction: str = "") -> io.NodeOutput:
        return io.NodeOutput(method.directions.load(file, direction))


class EditWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        socket = DirectionType.Input("direction", tooltip="From Load W+ Direction.")
        template = io.Autogrow.TemplatePrefix(socket, prefix="direction_", min=1, max=16)
        return io.Schema(
            node_id="LikenessEditWPlus",
            display_name="Edit W+",
            category=CATEGORY,
            description="Moves a W+ code along directions, with a slider on the node for each: more smile, "
            "another age, the head turned.",
            search_aliases=["wplus sliders", "face sliders", "edit face", "latent edit", "attribute slider"],
            inputs=[
                CodeType.Input("wplus", tooltip="Who is edited."),
                io.Autogrow.Input(
                    "directions", template=template, tooltip="The directions that edits may name."
                ),
                io.String.Input(
                    "edits",
                    default="",
                    multiline=True,
                    dynamic_prompts=False,
                    placeholder="all: smile = 1.5",
                    tooltip="A line for each slider: the layers (all, or such as 0-7), the direction's name "
                    "or the number of its socket, and the strength, -10 to 10: `all: smile = 1.5`. 0 changes "
                    "nothing, but a principal component moves to a strength, and 0 is the average.",
                ),
            ],
            outputs=[output(CodeType, "wplus", "The edited person.")],
        )

    @classmethod
    def execute(cls, wplus: Any, directions: io.Autogrow.Type, edits: str = "") -> io.NodeOutput:
        return io.NodeOutput(method.edit(wplus, method.read_edits(edits, list(directions.items()))))


class MixWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessMixWPlus",
            display_name="Mix W+",
            category=CATEGORY,
            description="Blends two W+ codes, all of them or some layers: pose and shape of one person, "
            "colours of another.",
            search_aliases=["style mixing", "blend faces", "morph faces", "wplus", "average faces"],
            inputs=[
                CodeType.Input("wplus_a", tooltip="Where the blend begins."),
                CodeType.Input("wplus_b", tooltip="Where it leads."),
                io.Float.Input(
                    "amount",
                    default=0.5,
                    min=-2.0,
                    max=3.0,
                    step=0.01,
                    tooltip="0 is wplus_a, 1 is wplus_b; below 0 and above 1 goes on.",
                ),
                layers_input(),
            ],
            outputs=[output(CodeType, "wplus", "The blend.")],
        )

    @classmethod
    def execute(
        cls, wplus_a: Any, wplus_b: Any, amount: float = 0.5, layers: str = choices.ALL
    ) -> io.NodeOutput:
        return io.NodeOutput(method.mix(wplus_a, wplus_b, amount, method.layers_of(layers)))


class SaveWPlus(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessSaveWPlus",
            display_name="Save W+ Code",
            category=CATEGORY,
            description="Writes a W+ code to models/wplus_codes, for Load W+ Code.",
            search_aliases=["save wplus", "save code", "export face", "save stylegan code"],
            inputs=[
                CodeType.Input("wplus", tooltip="Who is saved."),
                io.String.Input(
                    "filename_prefix",
                    default="person",
                    tooltip="Name of the file; a number is added. A / makes a folder.",
                ),
            ],
            outputs=[],
            is_output_node=True,
        )

    @classmethod
    def execute(cls, wplus: Any, filename_prefix: str = "person") -> io.NodeOutput:
        path = method.codes.save(wplus, filename_prefix)
        return io.NodeOutput(ui=ui.PreviewText(f"Saved {path}"))


class LoadWPlusCode(LoadFile):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LikenessLoadWPlusCode",
            display_name="Load W+ Code",
            category=CATEGORY,
            description="Reads a W+ code that Save W+ Code wrote, or a .pth file of the authors. No photo "
            "and no encoder is needed.",
            search_aliases=["load wplus", "load code", "import face", "load stylegan code"],
            inputs=[
                io.Combo.Input("file", options=choices.list_codes(), tooltip="A file of models/wplus_codes.")
            ],
            outputs=[output(CodeType, "wplus", "Who was saved.")],
        )

    @classmethod
    def reader(cls) -> Any:
        return method.codes


NODES: list[type[io.ComfyNode]] = [
    LoadFaceEncoder,
    EncodeWPlus,
    LoadWPlusDirection,
    EditWPlus,
    MixWPlus,
    SaveWPlus,
    LoadWPlusCode,
]
