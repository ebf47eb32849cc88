"""Example pictures that are nobody's: drawn here, for classes that a few shapes can show."""

from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

SIDE = 128  # pixels
SKY, SEA, GRASS = "#8fb8de", "#2f6690", "#5a8f4e"

Draw = ImageDraw.ImageDraw


def drawings(classes: list[str]) -> dict[str, Image.Image]:
    """Return a picture for each class that can be drawn: digits, and some classes of CIFAR-10."""
    digits = {label: digit(label) for label in classes if label.isdecimal()}
    return {**digits, **{label: shape(SHAPES[label]) for label in classes if label in SHAPES}}


def digit(label: str) -> Image.Image:
    """Return a figure in white on black, as handwritten digits are stored."""
    image = Image.new("RGB", (SIDE, SIDE))
    font = ImageFont.load_default(size=SIDE)
    ImageDraw.Draw(image).text((SIDE / 2, SIDE / 2), label, fill="white", font=font, anchor="mm")
    return image


def shape(draw: Callable[[Draw], None]) -> Image.Image:
    image = Image.new("RGB", (SIDE, SIDE), SKY)
    draw(ImageDraw.Draw(image))
    return image


def ship(on: Draw) -> None:
    on.rectangle((0, 84, SIDE, SIDE), fill=SEA)
    on.polygon([(14, 76), (114, 76), (98, 98), (30, 98)], fill="#5b2333")
    on.rectangle((44, 56, 86, 76), fill="white")
    on.rectangle((60, 36, 70, 56), fill="#c1121f")


def airplane(on: Draw) -> None:
    on.ellipse((16, 56, 112, 74), fill="#e5e5e5")
    on.polygon([(54, 64), (74, 64), (52, 104), (40, 104)], fill="#9a9a9a")
    on.polygon([(54, 62), (70, 62), (60, 34), (50, 34)], fill="#b5b5b5")
    on.polygon([(18, 62), (34, 60), (22, 40), (12, 40)], fill="#9a9a9a")


def automobile(on: Draw) -> None:
    on.rectangle((0, 92, SIDE, SIDE), fill="#6b6b6b")
    on.rounded_rectangle((12, 62, 116, 94), 10, fill="#b3261e")
    on.polygon([(32, 64), (46, 42), (84, 42), (100, 64)], fill="#b3261e")
    on.polygon([(40, 62), (50, 47), (80, 47), (90, 62)], fill="#dceaf5")
    for left in (24, 80):
        on.ellipse((left, 82, left + 24, 106), fill="black")


def frog(on: Draw) -> None:
    on.rectangle((0, 0, SIDE, SIDE), fill="#7a6a4f")
    on.ellipse((28, 48, 100, 104), fill=GRASS)
    for left in (36, 70):
        on.ellipse((left, 34, left + 22, 58), fill=GRASS)
        on.ellipse((left + 6, 40, left + 16, 50), fill="black")


SHAPES = {"ship": ship, "airplane": airplane, "automobile": automobile, "frog": frog}
