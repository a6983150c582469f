"""Opening picture files: upright, as the camera was held, or refused with the file's name.

Phones write a picture as the sensor lay and say in its EXIF data how to turn it. Whoever opens files by
another way than this one gets faces that lie on their side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class BadPicture(ValueError):
    """A file that is no picture to work with. The message begins with its path."""


def open_picture(path: Path, mode: str = "RGB") -> Any:
    """A picture file as a PIL image in this mode, turned and mirrored as its EXIF data says.

    Of a film the first picture. Raises BadPicture.
    """
    from PIL import ImageOps

    with _opened(path) as image:
        try:
            return ImageOps.exif_transpose(image).convert(mode)
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise BadPicture(f"{path} is damaged or cut short: {error}") from error


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of what open_picture gives, without reading the pixels. Raises BadPicture."""
    from PIL import ExifTags

    with _opened(path) as image:
        try:
            sideways = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise BadPicture(f"{path} is damaged or cut short: {error}") from error
        width, height = image.size
    return (height, width) if sideways else (width, height)


def _opened(path: Path) -> Any:
    from PIL import Image, UnidentifiedImageError

    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise BadPicture(f"{path} is not there.") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadPicture(f"{path} is no picture that can be read: {error}") from error
