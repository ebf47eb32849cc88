"""Names in any script: a font that can write them, and one line where there is none."""

import logging

import pytest
from fontTools.ttLib import TTFont
from matplotlib import font_manager

from cifarbench.report import fonts
from cifarbench.report.drawing import canvas

STIX_ONLY = "\u1d84"  # a letter that STIXGeneral, which matplotlib brings along, has and DejaVu Sans lacks


def test_a_font_is_found_for_what_the_default_lacks() -> None:
    assert fonts.families("Größe ± ≥ Привет") == ["DejaVu Sans"]
    lacking = ord(STIX_ONLY)
    have = [name for path, name in fonts._installed() if lacking in fonts._characters(path)]
    found = fonts.families(f"a{STIX_ONLY}")
    assert found[0] == "DejaVu Sans"
    assert found[1] in have


def test_a_script_that_no_font_has_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    missing = "\U00013000"  # an Egyptian hieroglyph
    for text in (missing, f"{missing} again", f"{missing}\U00013001"):
        assert fonts.families(text) == ["DejaVu Sans"]
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "no installed font has Egyptian letters"
    ]


def test_a_pdf_holds_its_letters_whichever_font_has_them() -> None:
    light = TTFont(font_manager.findfont(fonts.light(), fallback_to_default=False)).getBestCmap()
    assert len(light) < 300
    assert {ord(letter) for letter in "Größe ± 3 − …"} <= light.keys()
    with canvas("Größe Привет", "", [], 1) as drawn:
        drawn.axes.set_title("Größe Привет")
    assert drawn.finished.pdf.count(b"/FontFile2") == 2  # Cyrillic is not in the light copy
