"""One picture from its file's bytes, as training and whoever uses a trained model sees it.

What is not 8 bits a channel becomes so by a stated rule: 16-bit grey is divided by 257, of 16-bit colour
Pillow takes the higher byte, a float is a share of white from 0 to 1. Transparent pixels show the
background. Of several frames, the first counts.
"""

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, TiffImagePlugin

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.packed import printable
from cifarbench.data.readers.source import Images
from cifarbench.errors import UserError

# Pillow knows many more, some of which start other programs (EPS starts Ghostscript).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
SUFFIXES = {suffix for suffix, format in Image.registered_extensions().items() if format in FORMATS}
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
SIGNED = 2  # as TIFF calls the format of a sample
PLAIN = ("1", "L", "P", "RGB", "CMYK", "YCbCr")
Image.MAX_IMAGE_PIXELS = None  # `max_pixels` stands in its place


def decode(content: bytes, options: ReadOptions | None = None) -> Images:
    """Return a picture of FORMATS, upright, in RGB and resized, as (3, H, W) uint8.

    Raise UserError, without the picture's name, for what is no such picture.
    """
    return decoded(content, options or ReadOptions())[0]


def decoded(content: bytes, options: ReadOptions) -> tuple[Images, str]:
    """Return a picture and what it was, as `PNG RGBA`: format, mode of Pillow, transparency, frames."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow, about metadata
            image, kind = _open(content, options)
            upright = _in_rgb(image, options.background)
    except UserError:
        raise
    except Exception as error:  # each format fails in its own ways, on what anybody may have written
        reason = printable(str(error).split(" <")[0]) or type(error).__name__
        raise UserError(f"is no image that can be read ({reason})") from None
    size = (options.image_size,) * 2
    if upright.size != size:
        upright = upright.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(upright).transpose(2, 0, 1), kind  # (H, W, 3) -> (3, H, W)


def _open(content: bytes, options: ReadOptions) -> tuple[Image.Image, str]:
    image = Image.open(io.BytesIO(content), formats=FORMATS)
    if image.width * image.height > options.max_pixels:
        raise UserError(
            f"has {image.width:,} x {image.height:,} pixels, above max_pixels {options.max_pixels:,}: "
            "a decompression bomb? If not, raise max_pixels of this data set"
        )
    if image.format == "PNG":  # has checksums, which decoding does not look at
        image.verify()
        image = Image.open(io.BytesIO(content), formats=FORMATS)
    transparent = " with transparency" if "transparency" in image.info else ""
    frames = " with more frames" if getattr(image, "is_animated", False) else ""
    kind = f"{image.format} {image.mode}{transparent}{frames}"
    _check_samples(image)
    ImageOps.exif_transpose(image, in_place=True)
    return image, kind


def _check_samples(image: Image.Image) -> None:
    """Raise UserError for a TIFF whose values Pillow reads as others than they are."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        tags = image.tag_v2
        bits = tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))
        kinds = tags.get(TiffImagePlugin.SAMPLEFORMAT, (1,))
        white_is_zero = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
        if (
            bits[0] not in (1, 2, 4, 8, 16, 32)
            or (bits[0] == 8 and SIGNED in kinds)
            or (white_is_zero and bits[0] > 8)
        ):
            raise UserError(
                f"is no image that can be read (its {bits[0]} bits are signed, inverted or packed; "
                "save it with 8 bits)"
            )


def _in_rgb(image: Image.Image, background: str) -> Image.Image:
    sixteen_bits = image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format in ("PNG", "PPM"))
    if sixteen_bits and not image.has_transparency_data:
        image = _grey((np.asarray(image).astype(np.int32) + 128) // 257, "0 to 65535")
    elif image.mode == "F":
        image = _grey((np.asarray(image) * np.float32(255)).round(), "0 to 1")
    elif image.has_transparency_data and not sixteen_bits:
        above = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", above.size, background)
        image.paste(above, mask=above.getchannel("A"))
    elif image.mode not in PLAIN:
        raise UserError(
            f"is no image that can be read (mode {image.mode} has no stated range; save it with 8 bits)"
        )
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey(values: NDArray[np.integer | np.floating], allowed: str) -> Image.Image:
    if not (values.min() >= 0 and values.max() <= 255):  # true of NaN, too
        raise UserError(f"has values outside {allowed}; save it with 8 bits")
    return Image.fromarray(values.astype(np.uint8))
