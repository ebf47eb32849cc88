"""Make digits.zip, an archive in the layout that own images need: `python examples/own-data/make_archive.py`.

Forty images each of three of scikit-learn's handwritten digits, 8x8 pixels, as PNG.
"""

import io
import zipfile
from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

digits = load_digits()
with zipfile.ZipFile(Path(__file__).with_name("digits.zip"), "w") as archive:
    for digit, name in ((3, "three"), (8, "eight"), (9, "nine")):
        pictures = digits.images[digits.target == digit][:40] * (255 / 16)
        for n, picture in enumerate(pictures.astype("uint8")):
            png = io.BytesIO()
            Image.fromarray(picture).save(png, "png")
            split = "train" if n < 30 else "test"
            archive.writestr(zipfile.ZipInfo(f"{split}/{name}/{n:02}.png"), png.getvalue())
