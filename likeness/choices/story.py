"""Stories: how frames are made weak and strong, and where an identity is held."""

REWEIGHT, FADE = MODES = ("reweight", "fade")

#: Frames in one prompt at most, as the authors' code has it.
WINDOW = 10

ALL = "all"
#: Parts of a U-Net, and what the host calls their blocks.
BLOCKS = {"down": "input", "middle": "middle", "up": "output"}

#: Rows of a CLIP prompt: start, 75 words at most, end, padding.
TOKENS = 77
