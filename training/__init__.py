"""Trainers, on diffusers and accelerate. They use `likeness`, never `nodes`, and need no ComfyUI.

`pip install -r requirements-train.txt`, then `python -m training.pva --help` in this repository's folder.
"""
