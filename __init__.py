"""Likeness: a given person's face in generated pictures. A node pack for ComfyUI."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import LikenessExtension

WEB_DIRECTORY = "web"


async def comfy_entrypoint() -> LikenessExtension:
    from .nodes import LikenessExtension

    return LikenessExtension()
