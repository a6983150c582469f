"""ConsistentID: its files, the parts of a face, when they enter the prompt, and how texts are read."""

from ..weights.chosen import list_files as list_chosen

FOLDER, PUBLISHED = "consistentid", "consistentid/sd15"

#: In the order in which pictures of them are taken.
FACE, EYES, EARS, NOSE, MOUTH = PARTS = ("face", "eyes", "ears", "nose", "mouth")

#: The part of the schedule after which the prompt knows the parts: after step 30 of 50.
MERGE_AT = 0.619

#: How the text encoders get the text: what they were trained with, or what the released code gives them.
TRAINED, RELEASED = READINGS = ("as trained", "as released")


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)
