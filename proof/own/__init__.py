"""`python -m proof run`: how good a method is on one's own ComfyUI, with one's own weights and people."""
