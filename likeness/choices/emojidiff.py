"""EmojiDiff-style E-adapters: their files, which layers look, and what negative prompts look at."""

from .. import host
from ..weights.chosen import list_files as list_chosen

#: Ours, and that of the common IP-Adapter pack; a name in both is the first's.
FOLDERS = ("emojidiff", "ipadapter")
PUBLISHED = "emojidiff/weights"
#: The CLIP vision model that files are made for unless they say otherwise.
CLIP = "CLIP-ViT-H-14-laion2B-s32B-b79K"

#: The side of a template: what CLIP looks at.
SIDE = 224

ALL, UP_ONLY, MID_UP, CUSTOM = LAYERS = ("all", "up_only", "mid+up", "custom")
#: What negative prompts attend to.
BLACK, NOTHING = NEGATIVES = ("no expression", "nothing")


def list_files() -> list[str]:
    """The files of both folders; the name of the one there ought to be when there are none."""
    names = [name for folder in FOLDERS for name in host.files.list_models(folder)]
    return list(dict.fromkeys(names)) or list_chosen(FOLDERS[0], PUBLISHED)
