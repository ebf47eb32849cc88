"""What the app shows beside a picture: cards of runs, and test images that a run got wrong."""

import html
import io
from base64 import b64encode

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cifarbench.data.readers.source import Images
from cifarbench.records.record import Record
from cifarbench.use.card import accuracy_in_words
from cifarbench.use.classify import Answers
from cifarbench.use.runs import Trained, validation_accuracy

MOST_CARDS = 24
TOP = 5


def one_a_configuration(found: list[Trained]) -> list[Trained]:
    """Return the best seed of each configuration by validation accuracy, best first, MOST_CARDS."""
    ranked = sorted(found, key=lambda trained: -validation_accuracy(trained.record))
    first = {trained.record.configuration: trained for trained in reversed(ranked)}
    return [trained for trained in ranked if first[trained.record.configuration] is trained][:MOST_CARDS]


def label(record: Record) -> str:
    """Return what a run's card says, in lines."""
    return (
        f"{record.config.model}\n"
        f"{accuracy_in_words(record.final.test)}\n"
        f"{record.seconds.train:,.0f} s of training, {record.model.parameters:,} parameters\n"
        f"{record.run}"
    )


def result(answers: Answers, title: str, seen: Images, heat: NDArray[np.float32] | None) -> str:
    """Return a run's answer as HTML: bars of the first classes, what it saw, and where it looked."""
    rows = "".join(
        f'<li><span class="class">{html.escape(name)}</span>'
        f'<span class="bar"><span style="width:{share:.1%}"></span></span>'
        f'<span class="share">{share:.1%}</span></li>'
        for name, share in answers.top(0, TOP)
    )
    size = f"{seen.shape[1]}x{seen.shape[2]}"
    pictures = figure(seen, f"what it sees, {size}")
    if heat is not None:
        pictures += figure(warmed(seen, heat), "where it looks")
    heading = f"<h3>{html.escape(title)}</h3><p>{html.escape(answers.run)}</p>"
    return f'<section class="answer">{heading}<ol>{rows}</ol><div class="seen">{pictures}</div></section>'


def figure(image: Images, caption: str) -> str:
    source = b64encode(png(image)).decode()
    return (
        f'<figure><img src="data:image/png;base64,{source}" alt="{caption}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def png(image: Images) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "PNG")
    return buffer.getvalue()


def warmed(image: Images, heat: NDArray[np.float32]) -> Images:
    """Return the image in grey with what speaks for the class in red."""
    grey = np.repeat(image.mean(0, keepdims=True), 3, axis=0)
    red = np.array([255, 40, 0], np.float32)[:, None, None]
    weight = 0.75 * heat[None]
    return (grey * (1 - weight) + red * weight).round().astype(np.uint8)
