"""The app in a real browser: what it shows, what it refuses, and that it asks nothing of the net."""

import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from cifarbench.records.folder import RECORD, WEIGHTS
from cifarbench.records.record import read_record
from cifarbench.use.drawings import digit, drawings
from cifarbench.use.runs import choose
from helpers.picture import FLAGS
from helpers.repository import needs

Fails = Callable[..., str]
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning:gradio")


@pytest.fixture(scope="module")
def address(runs: Path, digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from cifarbench.use.app import App, launch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        served = launch(App(choose(runs, ["baseline", "lenet5"]), digits.parent), None)
        yield str(served.local_url)
        served.close()


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[Page]:
    chromium = needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 375, "height": 812})
        page.set_default_timeout(20_000)
        yield page
        browser.close()


@pytest.fixture
def outside(page: Page, address: str) -> Iterator[list[str]]:
    """Open the page, and return what it asks of anybody but us."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.get_by_role("heading", name="What do the models see?")).to_be_visible()
    yield asked
    foreign = [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert not foreign


def upload(page: Page, file: Path) -> None:
    page.set_input_files("input[type=file]", file)


@pytest.fixture
def seven(tmp_path: Path) -> Path:
    digit("7").save(tmp_path / "seven.png")
    return tmp_path / "seven.png"


def test_two_models_answer_side_by_side_on_a_phone(
    page: Page, outside: list[str], runs: Path, seven: Path
) -> None:
    import cifarbench

    upload(page, seven)
    expect(page.locator(".answer")).to_have_count(1)
    page.get_by_role("checkbox").nth(1).check()
    expect(page.locator(".answer")).to_have_count(2)
    for position, run in enumerate(("baseline", "lenet5")):
        shares = cifarbench.predictor(run, runs)([seven])[0]
        first = page.locator(".answer").nth(position).locator("li").first
        expect(first).to_have_text(f"{shares.argmax()}{shares.max():.1%}")
    expect(page.locator(".answer img")).to_have_count(4)
    card = page.get_by_role("checkbox").first.locator("xpath=..")
    top1 = read_record(runs / "baseline" / RECORD).final.test.top1
    expect(card).to_contain_text(f"{top1:.1%} (")
    assert page.evaluate("document.documentElement.scrollWidth") == 375


def test_a_drawing_and_a_mistake_are_chosen_by_the_keyboard_alone(page: Page, outside: list[str]) -> None:
    drawn, wrong = page.locator(".tries").first, page.locator(".tries").nth(1)
    for pictures in (drawn, wrong):
        before = page.locator(".answer").all_inner_texts()
        pictures.get_by_role("button").nth(1).focus()
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_count(1)
        page.wait_for_function(
            "before => document.querySelector('.answer')?.innerText !== before",
            arg=before[0] if before else "",
        )
    page.get_by_role("checkbox").nth(1).focus()
    page.keyboard.press("Space")
    expect(page.locator(".answer")).to_have_count(2)
    expect(page.locator(".votes")).to_have_text(re.compile(r"Of 2 models, [12] say \d"))


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.png", b"no picture", "is no image that can be read"),
        ("bomb.png", None, "above max_pixels"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_in_a_sentence(
    page: Page, outside: list[str], tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    if content is None:
        Image.new("1", (10_000, 10_000)).save(tmp_path / name)
    else:
        (tmp_path / name).write_bytes(content)
    upload(page, tmp_path / name)
    expect(page.get_by_role("alert")).to_contain_text(reason)
    expect(page.locator(".answer")).to_have_count(0)


def test_only_its_own_files_are_served(address: str, runs: Path) -> None:
    for path in ("/etc/passwd", str(runs / "baseline" / RECORD), str(Path(__file__))):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"{address}gradio_api/file={path}")
        assert refusal.value.code in (403, 404)


def test_a_file_above_the_limit_is_refused_and_networks_are_kept_up_to_a_number(
    runs: Path, digits: Path, tmp_path: Path
) -> None:
    from cifarbench.use.app import LOADED, MAX_MEGABYTES, App

    app = App(choose(runs, ["baseline"]), digits.parent)
    (tmp_path / "large.png").write_bytes(bytes(MAX_MEGABYTES * 1_000_000 + 1))
    assert f"has more than {MAX_MEGABYTES} MB" in app.classify(str(tmp_path / "large.png"), list(app.runs))
    assert "Choose a picture" in app.classify(None, list(app.runs))
    (tmp_path / "notes.png").write_bytes(b"no picture")
    assert ">This file is no image that" in app.classify(str(tmp_path / "notes.png"), list(app.runs))
    assert app.predictor.cache_info().maxsize == LOADED


def test_weights_that_went_away_are_no_fault_of_the_picture(
    runs: Path, digits: Path, tmp_path: Path, seven: Path
) -> None:
    from cifarbench.use.app import App

    app = App(choose(Path(shutil.copytree(runs, tmp_path / "<i>")), ["baseline"]), digits.parent)
    (tmp_path / "<i>/baseline" / WEIGHTS).write_bytes(b"broken")
    answer = app.classify(str(seven), list(app.runs))
    assert f">{tmp_path}/&lt;i&gt;/baseline/{WEIGHTS}: cannot be read" in answer


def test_grad_cam_of_a_linear_pixel_detector_points_at_the_pixel(runs: Path) -> None:
    import torch
    from torch import nn

    import cifarbench
    from cifarbench.use.saliency import grad_cam

    class Bright(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Conv2d(3, 1, 1, bias=False)
            nn.init.ones_(self.map.weight)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.map(images).sum((2, 3)).repeat(1, 10)

    predictor = cifarbench.predictor("baseline", runs)
    image = np.zeros((3, 32, 32), np.uint8)
    image[:, 20, 5] = 255
    bright = type(predictor)(predictor.record, Bright().eval(), predictor.scaled)
    heat = grad_cam(bright, image, 0)
    assert heat is not None and np.unravel_index(heat.argmax(), heat.shape) == (20, 5)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10)).eval()
    assert grad_cam(type(predictor)(predictor.record, linear, predictor.scaled), image, 0) is None


def test_drawings_are_of_the_classes_that_can_be_drawn() -> None:
    assert list(drawings(["3", "ship", "shrew"])) == ["3", "ship"]
    assert drawings(["ship"])["ship"].size == (128, 128)


def test_without_gradio_the_extra_is_named(runs: Path, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "gradio", None)
    assert "gradio is not installed; pip install 'cifarbench[app]'" in fails("app", "--runs", runs)
