"""Command: `python write_tiny.py COMFYUI BASE` writes the tiny model files under BASE/models."""

from __future__ import annotations

import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


def main(comfyui: str, base: str) -> None:
    sys.path[:0] = [comfyui, str(REPOSITORY / "tests"), str(REPOSITORY)]
    from comfy.cli_args import args

    args.cpu = True  # before anything else of the host: it looks for a graphics card at import

    from likeness_tiny.files import (
        CHECKPOINT,
        write,
        write_arc2face,
        write_attributes,
        write_emojidiff,
        write_fact,
        write_masterweaver,
        write_pva,
    )
    from safetensors.torch import save_file
    from support import consistentid_files, parser_files, smirk_files, tiny_faces, wplus_files

    models = Path(base) / "models"
    for kind in CHECKPOINT:
        write(base, kind)
    write_arc2face(base)
    write_pva(base)
    write_emojidiff(base)
    write_fact(base)
    write_masterweaver(base)
    write_attributes(base)
    tiny_faces.write_antelopev2(models / "insightface")
    (models / "smirk").mkdir()
    save_file(smirk_files.content(), models / "smirk" / "tiny_smirk.safetensors")
    (models / "face_parsing").mkdir()
    save_file(parser_files.colours(), models / "face_parsing" / "tiny_parser.safetensors")
    wplus_files.write(models)
    (models / "consistentid").mkdir()
    for name, layers, context in (("sd15", 16, 64), ("sdxl", 70, 128)):
        content = consistentid_files.flat(consistentid_files.content([32] * layers, context))
        # As the tiny InstantID: it listens to the recogniser that comes with the pack.
        save_file(
            content,
            models / "consistentid" / f"tiny_consistentid_{name}.safetensors",
            {"recogniser": "sface"},
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
