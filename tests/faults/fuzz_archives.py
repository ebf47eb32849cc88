"""Archives and folders made at random, and damaged: all images that were put in are read, or a line says
why not. Exit 0 with the images, or exit 2 with one line and nothing half-written; never a traceback.
"""

import contextlib
import io
import random
import tarfile
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import load_file

from cifarbench.cli.parser import main
from cifarbench.data.manifest import IMAGES, Manifest, read_manifest

TRAIN = ("train", "Train", "TRAINING", "training_set", "seg_train", "train2017", "x_train")
TEST = ("test", "Test", "Testing", "test_set", "seg_test", "eval")
VALIDATION = ("val", "Valid", "validation", "val_images", "dev")
CLASSES = (
    "ants",
    "bees",
    "caf\u00e9",
    "Stra\u00dfe 7",
    "train station",
    "0",
    "images of cats",
    "\u6f22\u5b57",
    "x.y",
    "a" * 90,
)
LEFTOVERS = (".DS_Store", "._0.png", "Thumbs.db", "desktop.ini", "@eaDir/x.jpg", "__MACOSX/._x")
OUTSIDE = ("README.md", "labels.csv", "docs/index.html", "LICENSE")
PICTURES = (("PNG", "RGB"), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "1"), ("PNG", "I;16"))
LOSSY = (("JPEG", "RGB"), ("GIF", "P"), ("BMP", "RGB"), ("TIFF", "RGB"), ("WEBP", "RGB"), ("TIFF", "F"))
PACKINGS = ("folder", "zip", "tar", "tar.gz", "tar.bz2", "tar.xz")
Files = dict[str, bytes]
Counts = dict[str, Counter[str]]  # images of each class, by part


def case(seed: int, folder: Path) -> str:
    """Make one source, spoil or damage it perhaps, normalise it, and return what came of it.

    Raise AssertionError if that is neither the images that were put in nor one line.
    """
    chance = random.Random(seed)
    files, counts = tree(chance)
    spoilt = chance.choice([None, None, *SPOILERS])
    if spoilt:
        SPOILERS[spoilt](files, chance)
    packing = chance.choice(PACKINGS)
    source = pack(files, folder / "source", packing, chance)
    hurt = packing != "folder" and not spoilt and chance.random() < 0.6
    if hurt:
        sound = images(normalised(source, folder / "sound"), folder / "sound")
        source.write_bytes(damaged(source.read_bytes(), chance, packing != "tar"))
    code, line = outcome(source, folder / "out")
    if code == 2:
        assert hurt or spoilt, f"seed {seed}: a sound {packing} is refused: {line}"
        return f"{packing} {spoilt or 'damaged'}: refused"
    assert code == 0, f"seed {seed}: exit code {code}: {line}"
    assert not spoilt, f"seed {seed}: {packing} is accepted, although {spoilt}"
    manifest = read_manifest(folder / "out")
    assert found(manifest) == counts, (
        f"seed {seed}: other images of {packing}: {found(manifest)}, not {counts}"
    )
    if hurt and packing != "tar":  # a plain tar has no checksum of contents
        assert images(manifest, folder / "out") == sound, f"seed {seed}: other pixels of {packing}"
    return f"{packing} {'damaged: the same' if hurt else 'sound: read'}"


def normalised(source: Path, output: Path) -> Manifest:
    code, line = outcome(source, output)
    assert code == 0, line
    return read_manifest(output)


def outcome(source: Path, output: Path) -> tuple[int, str]:
    """Return exit code and standard error of normalising; an error must be one line and leave nothing."""
    errors = io.StringIO()
    call = ["--name", "mine", "--format", "folder", "--source", str(source), "--output", str(output)]
    with contextlib.redirect_stderr(errors):
        code = main(["normalise", *call])
    text = errors.getvalue()
    if code == 2:
        lines = [line for line in text.splitlines() if "error: " in line]
        assert len(lines) == 1 and text.endswith(f"{lines[0]}\n") and lines[0].isprintable(), text
        assert not output.exists() or not list(output.iterdir())
    return code, text


def found(manifest: Manifest) -> Counts:
    parts = {"train": manifest.train_images, "test": manifest.test_images}
    if manifest.test_was_drawn:  # from the others, which is for other tests
        parts = {"train": [a + b for a, b in zip(manifest.train_images, manifest.test_images, strict=True)]}
    parts |= {"validation": manifest.validation_images} if manifest.validation_images else {}
    return {
        part: +Counter(dict(zip(manifest.classes, counts, strict=True))) for part, counts in parts.items()
    }


def images(manifest: Manifest, folder: Path) -> list[tuple[str, bytes]]:
    """Return class and pixels of all images, in any order."""
    data = load_file(folder / IMAGES)
    return sorted(
        (manifest.classes[label], image.tobytes())
        for part in ("train", "validation", "test")
        if f"{part}_labels" in data
        for label, image in zip(data[f"{part}_labels"], data[f"{part}_images"], strict=True)
    )


def tree(chance: random.Random) -> tuple[Files, Counts]:
    """Return the files of a sound source, and the images of each class in each part."""
    classes = chance.sample(CLASSES, chance.randint(2, 4))
    splits = chance.choice(
        [(), ("train", "test"), ("train", "validation", "test"), ("train", "validation"), ("train",)]
    )
    names = {
        "train": chance.choice(TRAIN),
        "test": chance.choice(TEST),
        "validation": chance.choice(VALIDATION),
    }
    top = "/".join(chance.sample(["data", "my images", "v1", "\u00fcbung"], chance.randint(0, 2)))
    groups = chance.choice([[""], ["images"], ["g1", "g2"]] if splits else [[""], ["images"]])
    files: Files = {}
    counts: Counts = {}
    for split in splits or ("train",):
        for name in classes:
            form = unicodedata.normalize(chance.choice(["NFC", "NFD"]), name)
            parts = [top, *([names[split]] if splits else []), form, chance.choice(groups)]
            place = "/".join(part for part in parts if part)
            for n in range(chance.randint(5, 7)):
                format, mode = chance.choice(PICTURES if chance.random() < 0.7 else LOSSY)
                files[f"{place}/{n}.{format.lower()}"] = picture(format, mode, chance)
                counts.setdefault(split, Counter())[name] += 1
            if chance.random() < 0.2:
                files[f"{place}/{chance.choice(LEFTOVERS)}"] = b"\0\5\26\7 left over"
    for _ in range(chance.randint(0, 2)):
        files["/".join(filter(None, [chance.choice([top, ""]), chance.choice(OUTSIDE)]))] = b"words"
    return files, counts


def picture(format: str, mode: str, chance: random.Random) -> bytes:
    noise = np.random.default_rng(chance.randrange(2**32))
    size = (chance.randint(1, 12), chance.randint(1, 40))
    if mode == "I;16":
        image = Image.fromarray(noise.integers(0, 2**16, size, np.uint16))
    elif mode == "F":
        image = Image.fromarray(noise.random(size, np.float32))
    else:
        image = Image.fromarray(noise.integers(0, 256, (*size, 3), np.uint8)).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def _any_image(files: Files, chance: random.Random) -> str:
    return chance.choice([name for name in files if files[name] not in (b"words", b"\0\5\26\7 left over")])


def _broken_image(files: Files, chance: random.Random) -> None:
    name = _any_image(files, chance)
    files[name] = files[name][:10]


def _note_among_images(files: Files, chance: random.Random) -> None:
    files[f"{_any_image(files, chance).rpartition('/')[0]}/notes.txt"] = b"words"


def _image_at_the_top(files: Files, _chance: random.Random) -> None:
    files["cover.png"] = picture("PNG", "RGB", random.Random(0))


def _image_below_another(files: Files, chance: random.Random) -> None:
    name = _any_image(files, chance)
    files[f"{name.rpartition('/')[0]}/deeper/still/0.png"] = files[name]


def _one_class_alone(files: Files, chance: random.Random) -> None:
    keep = _any_image(files, chance).split("/")[:-1]
    for name in list(files):
        if name.split("/")[:-1] != keep:
            del files[name]


SPOILERS: dict[str, Callable[[Files, random.Random], None]] = {
    "an image is broken": _broken_image,
    "a note lies among the images": _note_among_images,
    "an image lies at the top": _image_at_the_top,
    "an image lies deeper": _image_below_another,
    "one class is alone": _one_class_alone,
}


def pack(files: Files, path: Path, packing: str, chance: random.Random) -> Path:
    """Write the files as a folder or archive, in any order, with or without entries of directories."""
    names = list(files)
    chance.shuffle(names)
    if packing == "folder":
        for name in names:
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(files[name])
        return path
    path = path.with_name(f"source.{chance.choice([packing, packing.upper(), 'download'])}")
    folders = {parent for name in names for parent in Path(name).parents if str(parent) != "."}
    folders = sorted(folders) if chance.random() < 0.5 else []
    if packing == "zip":
        methods = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
        with zipfile.ZipFile(path, "w", chance.choice(methods)) as archive:
            for folder in folders:
                archive.writestr(f"{folder}/", b"")
            for name in names:
                archive.writestr(name, files[name])
        return path
    form = chance.choice([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    with tarfile.open(path, f"w:{packing.removeprefix('tar').removeprefix('.')}", format=form) as archive:
        for folder in folders:
            info = tarfile.TarInfo(str(folder))
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(files[name])
            archive.addfile(info, io.BytesIO(files[name]))
    return path


def damaged(content: bytes, chance: random.Random, has_checksum: bool) -> bytes:
    """Return it with a flipped bit, another byte, a block of zeros or of something else, or cut off.

    From a plain tar, which has no checksum, no block is taken that may be a whole file with its header.
    """
    at, size = chance.randrange(len(content)), chance.choice([1, 16, 512, 4096] if has_checksum else [1, 16])
    before, block, after = content[:at], content[at : at + size], content[at + size :]
    kind = chance.choice(["flip", "byte", "zeros", "copy", "cut", "gone"])
    if kind == "flip":
        return before + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :]
    if kind == "byte":
        return before + bytes([chance.randrange(256)]) + content[at + 1 :]
    other = chance.randrange(len(content))
    instead = {"zeros": bytes(len(block)), "copy": content[other : other + len(block)], "gone": b""}
    return before if kind == "cut" else before + instead[kind] + after
