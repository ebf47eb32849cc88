"""One picture from its file's bytes, as training and whoever uses a trained model sees it."""

import io

import numpy as np
from PIL import Image, ImageOps

from cifarbench.data.readers.source import SIZE, Images
from cifarbench.errors import UserError


def decode(content: bytes) -> Images:
    """Return a picture of any format that Pillow reads, upright, in RGB and resized, as (3, 32, 32) uint8.

    Raise UserError, without the picture's name, for what is no such picture.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = str(error).split(" <")[0]
        raise UserError(f"is no image that can be read ({reason})") from None
    if upright.size != (SIZE, SIZE):
        upright = upright.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    return np.asarray(upright).transpose(2, 0, 1)  # (32, 32, 3) -> (3, 32, 32)
