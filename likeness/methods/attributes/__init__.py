"""Attribute directions, added to the rows of a subject in a prompt. Spec: conditioning.md, 1."""
