"""The app: a picture, some of the runs, and what each says; on this machine alone.

gradio asks the net for fonts and sends statistics unless told otherwise; it is told so here, and a test
watches what a browser asks for.
"""

import html
import logging
import os
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from cifarbench.data.readers.source import Images
from cifarbench.errors import UserError
from cifarbench.tracking.mistakes import mistakes
from cifarbench.use.classify import Answers, agreement
from cifarbench.use.drawings import drawings
from cifarbench.use.gallery import label, png, result
from cifarbench.use.predictor import Predictor, file_of, load
from cifarbench.use.runs import Trained

LOADED = 8  # networks that are kept in memory
MAX_MEGABYTES = 20  # of a picture's file
HINT = "Choose a picture, and one model or several."
NO_SALIENCY = "Where the networks look is shown with <code>pip install 'cifarbench[saliency]'</code>."
THEME = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
CSS = (Path(__file__).parent / "app.css").read_text(encoding="utf-8")


def picture_input() -> gr.Image:
    """Return an image whose file is handed on as it came, so that it is decoded as training did."""
    image = gr.Image(label="Picture", type="filepath", height=280, buttons=[])
    # No class of our own: gradio would write a stub file beside this one for it.
    image.preprocess = lambda payload: payload.path if payload else None
    return image


class App:
    """The runs that can be asked, and their networks as far as they were."""

    def __init__(self, chosen: Sequence[Trained], data: Path, own: Sequence[Path] = ()) -> None:
        for trained in chosen:
            file_of(trained.record, own)  # now rather than at a click, if one is wanting
        self.runs = {trained.record.run: trained for trained in chosen}
        self.data = data
        self.predictor = lru_cache(LOADED)(lambda run: load(self.runs[run], data, own))
        best = chosen[0]
        self.wrong = mistakes(best.record, best.folder, data / best.record.data.name)
        self.examples = list(drawings(chosen[0].record.data.classes).items())

    def classify(self, picture: str | None, runs: list[str]) -> str:
        """Return the answers as HTML, or a sentence that says why there are none."""
        if not picture or not runs:
            return f'<p class="hint">{HINT}</p>'
        if Path(picture).stat().st_size > MAX_MEGABYTES * 1_000_000:
            return refused(f"This file has more than {MAX_MEGABYTES} MB; choose a smaller one")
        try:
            return self.answers(Path(picture).read_bytes(), [run for run in self.runs if run in runs])
        except UserError as error:
            return refused(str(error))

    def answers(self, content: bytes, runs: list[str]) -> str:
        parts, said = [], []
        for run in runs:
            predictor = self.predictor(run)
            seen = seen_by(predictor, content)
            answer = Answers(run, predictor.classes, predictor.probabilities(seen[None]))
            said.append(answer)
            heat = heat_of(predictor, seen, int(answer.probabilities.argmax()))
            parts.append(result(answer, predictor.record.config.model, seen, heat))
        votes = ", ".join(f"{count} say {html.escape(name)}" for name, count in agreement(said, 0).items())
        together = f'<p class="votes">Of {len(runs)} models, {votes}.</p>' if len(runs) > 1 else ""
        return f'{together}<div class="answers">{"".join(parts)}</div>'

    def page(self) -> gr.Blocks:
        with gr.Blocks(title="cifarbench", analytics_enabled=False) as page:
            gr.Markdown("# What do the models see?")
            with gr.Row():
                with gr.Column(min_width=300):
                    picture = picture_input()
                    if self.examples:
                        self.choosable("Pictures drawn here", self.pictures_drawn(), picture)
                    if self.wrong:
                        self.choosable(
                            f"Test images that {self.best} got wrong", self.pictures_wrong(), picture
                        )
                with gr.Column(min_width=300):
                    choices = [(label(trained.record), run) for run, trained in self.runs.items()]
                    models = gr.CheckboxGroup(
                        choices, value=[next(iter(self.runs))], label="Models", elem_classes="cards"
                    )
            button = gr.Button("Classify", variant="primary")
            answers = gr.HTML(f'<p class="hint">{HINT}</p>', elem_id="answers", padding=False)
            if find_spec("captum") is None:
                gr.HTML(f'<p class="hint">{NO_SALIENCY}</p>')
            asked = [picture.change, models.change, button.click]
            gr.on(asked, self.classify, [picture, models], answers, api_visibility="private")
        return page

    @property
    def best(self) -> str:
        return next(iter(self.runs.values())).record.config.model

    def choosable(self, title: str, pictures: list[tuple[Image.Image, str]], target: gr.Image) -> None:
        gr.Markdown(title)
        shown = gr.Gallery(
            pictures,
            label=title,
            show_label=False,
            allow_preview=False,
            format="png",
            buttons=[],
            elem_classes="tries",
        )

        def chosen(event: gr.SelectData) -> Any:
            return pictures[event.index][0]

        shown.select(chosen, None, target, api_visibility="private")

    def pictures_drawn(self) -> list[tuple[Image.Image, str]]:
        return [(image, name) for name, image in self.examples]

    def pictures_wrong(self) -> list[tuple[Image.Image, str]]:
        return [
            (Image.fromarray(np.ascontiguousarray(m.image.transpose(1, 2, 0))), f"{m.truth}, not {m.answer}")
            for m in self.wrong
        ]


def seen_by(predictor: Predictor, content: bytes) -> Images:
    try:
        return predictor.prepared(content)
    except UserError as error:
        raise UserError(f"This file {error}") from None


def heat_of(predictor: Predictor, seen: Any, best: int) -> Any:
    if find_spec("captum") is None:
        return None
    from cifarbench.use.saliency import grad_cam

    return grad_cam(predictor, seen, best)


def refused(reason: str) -> str:
    return f'<p class="refused" role="alert">{html.escape(reason)}.</p>'


def launch(app: App, port: int | None) -> gr.Blocks:
    """Serve the page on loopback, from threads of its own; its `local_url` says where."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_OFFLINE"] = "1"
    logging.getLogger("httpx").setLevel("WARNING")
    first = next(iter(app.runs))
    app.answers(png(np.zeros((3, 32, 32), np.uint8)), [first])  # so that the first answer comes at once
    page = app.page()
    try:
        page.launch(
            server_name="127.0.0.1",
            server_port=port,
            share=False,
            quiet=True,
            footer_links=[],
            max_file_size=MAX_MEGABYTES * 1_000_000,
            prevent_thread_lock=True,
            ssr_mode=False,
            theme=THEME,
            css=CSS,
        )
    except OSError as error:
        raise UserError(f"port: {port} cannot be listened on: {error}; choose another") from None
    return page
