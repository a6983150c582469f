"""What the widgets of a method's nodes offer: choices, defaults, files. A module per method.

All of a method that is loaded with the pack: `likeness.methods` comes when a node of it first runs.
"""
