"""Portraits drawn by a formula: people, scenes, captions and pictures, all from seeds.

people.Person is who somebody is, scene.Figure how they look and stand, captions.caption the words for it, and
draw.draw the picture with its labels and points.
"""
