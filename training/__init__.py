"""Trainers, on diffusers and accelerate. They use `likeness`, never `nodes`, and need no ComfyUI.

`pip install -r requirements-train.txt`, then `python -m training.pva --help` or `python -m training.emojidiff
--help` in this repository's folder. What lies here belongs to no method; each has a folder of its own.
"""
