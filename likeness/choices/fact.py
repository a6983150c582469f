"""FaceChain-FACT: its files, and what negative prompts look at."""

from ..weights.chosen import list_files as list_chosen

#: Adapters and TransFace's networks lie in one folder, as the authors' downloads do.
FOLDER, PUBLISHED, ENCODER = "fact", "fact/adapter_maj", "fact/transface"

#: What negative prompts look at: the tokens of nothing, or the person too.
ZEROS, SAME = NEGATIVES = ("zeros", "same")
#: What the authors' applications set.
WEIGHT, LARGEST_WEIGHT = 0.5, 2.0
#: Photos of one person at most: each makes every layer's self-attention 16 tokens longer.
MOST_PHOTOS = 16


def list_files() -> list[str]:
    return list_chosen(FOLDER, PUBLISHED)


def list_encoders() -> list[str]:
    return list_chosen(FOLDER, ENCODER)
