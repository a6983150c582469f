"""`python -m proof world train`: what makes the drawn world's networks, stage by stage.

Stages are described in `stages`, run by `running`, and each has a module of its own under `lessons`.
"""
