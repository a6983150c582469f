"""Words taken out of a prompt: of which rows, and in which columns."""

#: Every row but the start's, or the words' own alone.
ALL, WORDS = ROWS = ("all", "words")
#: All columns that the network sees at once, or each text encoder by itself.
JOINT, SEPARATE = ENCODERS = ("joint", "separate")
