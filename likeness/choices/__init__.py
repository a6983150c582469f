"""What the widgets of nodes offer: choices, defaults, files. A module per method, or room of the library.

All of the library that is loaded with the pack, nearly: the rest comes when a node first looks into it.
"""
