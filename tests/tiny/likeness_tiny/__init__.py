"""A test-only node pack: the host's detector learns the tiny networks, so that real loader nodes take them.

It has no nodes. Importing it also serves as a library: `files.write(base, kind)` makes the checkpoints.
"""

from . import clip_vision, networks

networks.register()
clip_vision.register()

NODE_CLASS_MAPPINGS: dict = {}
