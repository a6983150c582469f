"""The small picture of the people in an identity file.

It is kept in the file's metadata under the key of the ModelSpec standard, as JPEG: the page's model
library shows what it finds there, and a picture inside the file can't be lost or mixed up.
"""

from __future__ import annotations

import base64
import io
import logging

import torch

log = logging.getLogger(__name__)

KEY = "modelspec.thumbnail"
#: Pixels of each person's square. Sixteen of them stay far below the 1 MB of metadata that the host shows.
SIDE = 192
_START = "data:image/jpeg;base64,"
_LARGEST = 8192


def to_text(pictures: torch.Tensor) -> str:
    """Squares [N, S, S, 3], 0 to 1, side by side as one JPEG, as a data URI."""
    from PIL import Image

    strip = torch.cat(list(pictures), dim=1)
    pixels = (strip.to("cpu", torch.float32).clamp(0, 1) * 255).round().to(torch.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(buffer, "JPEG", quality=88)
    return _START + base64.b64encode(buffer.getvalue()).decode("ascii")


def from_text(text: str, count: int, file: str) -> list[torch.Tensor]:
    """The picture of each of `count` people, as an IMAGE [1, H, W, 3], from a data URI.

    A picture that does not consist of `count` squares is everybody's. None is worth an error: one that
    can't be read is told in the log, and the list is empty.
    """
    import numpy as np
    from PIL import Image

    try:
        raw = base64.b64decode(text.removeprefix(_START), validate=True)
        # JPEG alone, and looked at before it is unpacked: a small file can stand for a huge picture.
        with Image.open(io.BytesIO(raw), formats=["JPEG"]) as picture:
            if max(picture.size) > _LARGEST:
                raise ValueError(f"it is {picture.size[0]} x {picture.size[1]} pixels large")
            pixels = np.asarray(picture.convert("RGB"))
    except (ValueError, OSError, Image.DecompressionBombError) as error:
        log.warning("The picture in %s can't be shown (%s); its identities are read as usual.", file, error)
        return []
    image = torch.from_numpy(pixels.astype(np.float32) / 255)[None]
    height, width = image.shape[1:3]
    if width != count * height:
        return [image] * count
    return list(image.split(height, dim=2))
