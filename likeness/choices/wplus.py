"""The W+ Adapter: its files, the folders of codes and directions, and what sliders offer."""

from .. import host
from ..weights.chosen import list_files as list_chosen

FOLDER, PUBLISHED = "wplus", "wplus/adapter"
ENCODERS, ENCODER = "e4e", "wplus/e4e"
CODES = "wplus_codes"
DIRECTIONS, DIRECTION = "wplus_directions", "wplus/directions"

#: Several photos: one person of them all, or one code each.
MEAN, EACH = COMBINE = ("mean", "each")
#: As the authors: 7 of 30 steps are drawn without the person.
WEIGHT, START = 1.0, 0.23
#: Strengths of the published examples lie between -4 and 4. web/js/sliders/edits.js knows both numbers.
LARGEST_STRENGTH, STRENGTH_STEP = 10.0, 0.05
ALL = "all"
#: PreciseControl's file, and its directions by their keys there, as people read them.
NAMED = "all_delta_w_dict.json"
DIRECTION_NAMES = {
    "age70": "age 70",
    "age80": "age 80",
    "angry": "angry",
    "bald": "bald",
    "bang": "bangs",
    "beard": "beard",
    "disgust": "disgust",
    "eyeg": "eyeglasses, another",
    "eyeglasses": "eyeglasses",
    "eyesclose": "eyes closed",
    "gender": "gender",
    "hats": "hat",
    "lights": "lights",
    "pose": "pose",
    "sad": "sad",
    "smile": "smile",
    "suprise": "surprise",
}
#: Those that were learned from labels of skin colour: taken when they are written, never proposed.
SKIN_TONES = {key: f"skin tone: {key}" for key in ("black", "white", "yellow")}


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)


def list_encoders() -> list[str]:
    return list_chosen(ENCODERS, ENCODER)


def list_codes() -> list[str]:
    return host.files.list_models(CODES)


def list_directions() -> list[str]:
    return list_chosen(DIRECTIONS, DIRECTION)
