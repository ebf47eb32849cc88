"""Pictures of every depth, mode and format: the right pixels by a stated rule, or one line."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from cifarbench.config.benchmark import ReadOptions
from cifarbench.data.readers.decode import decode, decoded
from cifarbench.errors import UserError

RAMP = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 64  # 0 to 65,472
EIGHT_BITS = np.rint(RAMP / 257).astype(np.uint8)


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def refusal(content: bytes, **options: object) -> str:
    with pytest.raises(UserError) as caught:
        decode(content, ReadOptions.model_validate(options))
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_of_grey_are_divided_by_257(format: str) -> None:
    pixels = decode(saved(Image.fromarray(RAMP), format))
    for channel in pixels:
        assert np.array_equal(channel, EIGHT_BITS)


def test_sixteen_bits_in_the_other_order() -> None:
    big_endian = Image.frombytes("I;16B", (32, 32), RAMP.astype(">u2").tobytes())
    assert np.array_equal(decode(saved(big_endian, "TIFF"))[0], EIGHT_BITS)


def test_a_float_is_a_share_of_white() -> None:
    shares = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    pixels = decode(saved(Image.fromarray(shares), "TIFF"))
    assert np.array_equal(pixels[1], np.rint(shares * 255).astype(np.uint8))


@pytest.mark.parametrize("value", [1.01, 255.0, -0.1, float("nan"), float("inf")])
def test_a_float_outside_0_to_1_is_refused(value: float) -> None:
    values = np.zeros((32, 32), np.float32)
    values[3, 3] = value
    assert "has values outside 0 to 1; save it with 8 bits" in refusal(saved(Image.fromarray(values), "TIFF"))


def tiff(values: np.ndarray, bits: int, white_is_zero: bool = False, signed: bool = False) -> bytes:
    """Write a grey TIFF of 32x32 as Pillow itself writes none."""
    content = values.tobytes()
    size, white, kind = len(content), int(not white_is_zero), 1 + signed
    tags = {256: 32, 257: 32, 258: bits, 259: 1, 262: white, 273: 8, 277: 1, 278: 32, 279: size, 339: kind}
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + size) + content + struct.pack("<H", len(tags)) + rows + bytes(4)


def test_a_tiff_that_pillow_reads_as_another_is_refused() -> None:
    """Inverted, of 12 bits (which it does not scale), and signed; inverted with 8 bits it reads well."""
    assert np.array_equal(decode(tiff(RAMP, 16))[0], EIGHT_BITS)
    eight = (RAMP >> 8).astype(np.uint8)
    assert np.array_equal(decode(tiff(eight, 8, white_is_zero=True))[0], 255 - eight)
    for content, bits in (
        (tiff(RAMP, 16, white_is_zero=True), 16),
        (tiff(eight.repeat(2)[:1536], 12), 12),
        (tiff(eight, 8, signed=True), 8),
    ):
        assert f"its {bits} bits are signed, inverted or packed; save it with 8 bits" in refusal(content)


def test_thirty_two_bits_have_no_stated_range() -> None:
    values = Image.fromarray(np.full((32, 32), 70_000, np.int32))
    assert "mode I has no stated range; save it with 8 bits" in refusal(saved(values, "TIFF"))


@pytest.mark.parametrize(
    ("mode", "format"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "TIFF"), ("RGBA", "WEBP")]
)
@pytest.mark.parametrize("background", ["#ffffff", "#000000", "#204060"])
def test_a_shape_that_lies_in_alpha_shows_on_the_background(mode: str, format: str, background: str) -> None:
    """All black, and only the alpha channel tells the shape from what is around it."""
    shape = Image.new("L", (32, 32), 0)
    shape.paste(255, (8, 8, 24, 24))
    black = Image.new(mode, (32, 32), 0)
    black.putalpha(shape)
    pixels = decode(saved(black, format, lossless=True), ReadOptions(background=background))
    around = [int(background[at : at + 2], 16) for at in (1, 3, 5)]
    assert pixels[:, 16, 16].tolist() == [0, 0, 0]
    if mode == "RGBA":
        assert pixels[:, 2, 2].tolist() == around
    else:
        assert pixels[0, 2, 2] == around[0]


def test_half_transparent_is_half_of_each() -> None:
    half = Image.new("RGBA", (32, 32), (200, 100, 0, 128))
    expected = [round((colour * 128 + 255 * 127) / 255) for colour in (200, 100, 0)]
    assert decode(saved(half, "PNG"))[:, 5, 5].tolist() == pytest.approx(expected, abs=1)


def test_transparent_colours_of_palettes_and_keys() -> None:
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([9, 8, 7, 50, 60, 70])
    palette.paste(0, (0, 0, 16, 32))
    for content in (saved(palette, "PNG", transparency=0), saved(palette, "GIF", transparency=0)):
        pixels = decode(content)
        assert pixels[:, 5, 3].tolist() == [255, 255, 255]
        assert pixels[:, 5, 30].tolist() == [50, 60, 70]
    assert decode(saved(palette, "PNG"))[:, 5, 3].tolist() == [9, 8, 7]
    key = Image.new("RGB", (32, 32), (1, 2, 3))
    assert decode(saved(key, "PNG", transparency=(1, 2, 3)))[:, 0, 0].tolist() == [255, 255, 255]
    grey = Image.new("L", (32, 32), 7)
    assert decode(saved(grey, "PNG", transparency=7))[:, 0, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("mode", "colour", "format", "expected"),
    [
        ("1", 1, "PNG", [255, 255, 255]),
        ("L", 90, "BMP", [90, 90, 90]),
        ("P", 0, "PNG", [0, 0, 0]),
        ("RGB", (10, 200, 30), "PNG", [10, 200, 30]),
        ("RGB", (10, 200, 30), "PPM", [10, 200, 30]),
        ("RGB", (10, 200, 30), "JPEG2000", [10, 200, 30]),
        ("RGB", (10, 200, 30), "AVIF", [10, 200, 30]),
        ("CMYK", (0, 255, 255, 0), "TIFF", [255, 0, 0]),
        ("CMYK", (0, 255, 255, 0), "JPEG", [255, 0, 0]),
    ],
)
def test_modes_of_eight_bits(mode: str, colour: object, format: str, expected: list[int]) -> None:
    options = {"irreversible": False} if format == "JPEG2000" else {"quality": 100}
    pixels = decode(saved(Image.new(mode, (50, 40), colour), format, **options))
    assert pixels[:, 16, 16].tolist() == pytest.approx(expected, abs=3 if format in ("JPEG", "AVIF") else 0)


def test_what_was_read_is_told() -> None:
    assert decoded(saved(Image.fromarray(RAMP), "PNG"), ReadOptions())[1] == "PNG I;16"
    assert decoded(saved(Image.new("RGB", (9, 9)), "JPEG"), ReadOptions())[1] == "JPEG RGB"
    key = saved(Image.new("L", (9, 9)), "PNG", transparency=0)
    assert decoded(key, ReadOptions())[1] == "PNG L with transparency"


@pytest.mark.parametrize("format", ["GIF", "PNG", "TIFF", "WEBP", "MPO"])
def test_of_several_frames_the_first_counts_and_that_is_told(format: str) -> None:
    first, second = (Image.new("RGB", (32, 32), colour) for colour in ("#ff0000", "#0000ff"))
    options = {"lossless": True} if format == "WEBP" else {}
    content = saved(first, format, save_all=True, append_images=[second], **options)
    pixels, kind = decoded(content, ReadOptions())
    assert kind.startswith(format) and kind.endswith(" with more frames")
    assert pixels[:, 5, 5] == pytest.approx([255, 0, 0], abs=2)


def test_other_formats_of_pillow_are_not_read() -> None:
    """EPS starts Ghostscript, and an old format is a fault that waits."""
    picture = Image.new("RGB", (8, 8))
    for format in ("EPS", "PDF", "TGA", "PCX", "ICO", "SGI", "XBM"):
        source = picture.convert("1") if format == "XBM" else picture
        assert "cannot identify image file" in refusal(saved(source, format))


def test_lab_is_refused() -> None:
    assert "mode LAB" in refusal(saved(Image.new("LAB", (8, 8)), "TIFF"))


def test_a_changed_byte_of_a_png_is_seen() -> None:
    """Decoding alone does not look at its checksums."""
    content = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)), "PNG")
    whole = decode(content)
    for at in range(0, len(content), 7):
        damaged = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        try:
            assert np.array_equal(decode(damaged), whole)
        except UserError:
            continue


@pytest.mark.parametrize("format", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "JPEG2000", "PPM"])
def test_a_picture_that_ends_too_soon_is_refused(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(noise), format)
    assert "is no image that can be read" in refusal(content[: len(content) // 2])


def test_more_pixels_than_allowed_are_refused_before_they_are_decoded() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    header = (60_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
    line = refusal(bomb)
    assert "has 60,000 x 60,000 pixels, above max_pixels 50,000,000" in line
    assert "raise max_pixels of this data set" in line
    small = saved(Image.new("RGB", (101, 100)), "PNG")
    assert "above max_pixels 10,000" in refusal(small, max_pixels=10_000)
    assert decode(small, ReadOptions(max_pixels=10_100)).shape == (3, 32, 32)
