"""Take the picture of a report that the README shows: `python tests/helpers/picture.py PAGE PNG`.

The picture keeps a hash of the page's layout, so that a test can say when it is out of date.
"""

import hashlib
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

REPORT = Path(__file__).parents[2] / "workflow/cifarbench/report"
LAYOUT = "layout"
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def layout() -> str:
    """Return a hash of all that lays the page out."""
    digest = hashlib.sha256()
    for path in sorted(path for kind in ("j2", "css", "js") for path in REPORT.rglob(f"*.{kind}")):
        digest.update(path.relative_to(REPORT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def layout_of(picture: Path) -> str | None:
    """Return the hash of the layout that a picture shows."""
    with Image.open(picture) as image:
        return image.info.get(LAYOUT)


def take(page_file: Path, picture: Path, width: int = 1180, height: int = 1450) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": height})
        page.goto(page_file.resolve().as_uri())
        taken = page.screenshot()
        browser.close()
    told = PngInfo()
    told.add_text(LAYOUT, layout())
    with Image.open(io.BytesIO(taken)) as image:
        image.convert("P", palette=Image.Palette.ADAPTIVE).save(picture, pnginfo=told, optimize=True)


if __name__ == "__main__":
    take(Path(sys.argv[1]), Path(sys.argv[2]))
