"""Fonts of the figures: one that matplotlib brings along, and an installed one for what that lacks."""

import functools
import logging
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools import subset
from matplotlib import font_manager

FAMILY = "DejaVu Sans"
LIGHT = f"{FAMILY} Latin"
LATIN = [*range(0x20, 0x100), *range(0x2010, 0x2027), 0x2212]  # with dashes, quotes, the minus of axes
FAMILY_NAMES = (1, 16)  # records of a font's table of names
BLANK = "Last Resort"  # has a box for every character

log = logging.getLogger(__name__)
logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every font that it cuts


def families(text: str) -> list[str]:
    """Return the fonts that write a text; where none has a character, say so once for its script."""
    lacking = {ord(letter) for letter in text if letter.isprintable()} - _characters(_path_of_default())
    return [FAMILY, *(_others(frozenset(lacking)) if lacking else ())]


@functools.cache
def light() -> str:
    """Return the name of a copy of FAMILY with the Latin letters alone.

    A PDF holds the letters that it shows. Cutting them out of the whole font takes longer than drawing it.
    """
    options = subset.Options(name_IDs=["*"], legacy_kern=True)
    options.drop_tables += ["FFTM", "GDEF", "GPOS", "GSUB", "MATH"]
    font = subset.load_font(_path_of_default(), options)
    cut = subset.Subsetter(options)
    cut.populate(unicodes=LATIN)
    cut.subset(font)
    for record in font["name"].names:
        if record.nameID in FAMILY_NAMES:
            record.string = LIGHT
    path = Path(_folder().name, "light.ttf")
    font.save(path)
    font_manager.fontManager.addfont(path)
    return LIGHT


@functools.cache
def _folder() -> TemporaryDirectory[str]:
    """Return a folder that is there as long as this process."""
    return TemporaryDirectory(prefix="cifarbench-fonts-")


@functools.cache
def _others(lacking: frozenset[int]) -> tuple[str, ...]:
    """Return few installed fonts that together have the characters, the one with most of them first."""
    chosen: list[str] = []
    while lacking:
        path, name = max(_installed(), key=lambda font: len(lacking & _characters(font[0])))
        if not lacking & _characters(path):
            break
        chosen.append(name)
        lacking -= _characters(path)
    for script in sorted({unicodedata.name(chr(code), "OTHER").split()[0] for code in lacking}):
        _say(script)
    return tuple(chosen)


@functools.cache
def _say(script: str) -> None:
    log.warning(
        "no installed font has %s letters, so figures show boxes for them; install one, such as Noto Sans, "
        "and draw the report again",
        script.capitalize() if script != "CJK" else script,
    )


def _path_of_default() -> str:
    return font_manager.findfont(FAMILY)


@functools.cache
def _installed() -> list[tuple[str, str]]:
    """Return path and name of every upright font, in an order that does not depend on the machine's."""
    fonts = [
        font
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and not font.name.startswith(BLANK)
    ]
    return [(font.fname, font.name) for font in sorted(fonts, key=lambda font: (font.name, font.fname))]


@functools.cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(path).get_charmap())
