"""The page in a real headless Chromium: it opens offline, on a phone, in the dark, and on paper."""

import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from cifarbench.analysis.pictures import png
from cifarbench.cli.parser import parser
from cifarbench.report.page import render
from helpers.picture import FLAGS
from helpers.repository import needs
from helpers.synthetic import synthetic

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("report")
    plan, table = synthetic()
    keys = list(dict.fromkeys(table["configuration"]))
    image = {"dataset": "cifar10", "label": 3, "wrong": 0.5, "png": png(np.zeros((3, 32, 32), np.uint8))}
    answers = {1: [3, 3, 3, 5], 2: [3, 5, 5, 5]}
    rows = [{**image, "image": n, "answers": of, "configurations": keys} for n, of in answers.items()]
    render(plan, table, folder, pictures=pd.DataFrame(rows))
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def open_page(address: str) -> Iterator[Open]:
    """Return a function that opens the page offline and demands an empty console and no request."""
    chromium = needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)

        def open_it(width: int = 1280, scheme: str = "light") -> Page:
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
            )
            page, said, asked = context.new_page(), list[str](), list[str]()
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.goto(address)
            expect(page.locator(".chart:not(:has(svg))")).to_have_count(0)
            assert said == []
            assert asked == [address]
            return page

        yield open_it
        browser.close()


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 2560])
def test_no_width_makes_the_page_scroll_sideways(open_page: Open, width: int) -> None:
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_headings_come_in_order_and_every_figure_has_words(open_page: Open) -> None:
    page = open_page()
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => +h.tagName[1])")
    assert levels[:2] == [1, 2]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    figures = page.locator("figure svg[role=img], figure .chart[role=img]")
    assert figures.count() == page.locator("figure").count() == 9
    for index in range(figures.count()):
        assert "learning rate 0.00" in (figures.nth(index).get_attribute("aria-label") or "")


def test_the_seeds_of_a_configuration_unfold_by_keyboard(open_page: Open) -> None:
    page = open_page()
    seeds = page.locator(".seeds").first
    assert not seeds.is_visible()
    page.locator(".configurations summary").first.focus()
    page.keyboard.press("Enter")
    assert seeds.is_visible()
    assert seeds.locator("li").count() == 3


def labels(page: Page) -> list[str]:
    rows = page.locator(".configurations tbody tr:visible th summary")
    return [text.strip() for text in rows.all_inner_texts()]


def test_the_table_sorts_by_each_column_and_back(open_page: Open) -> None:
    page = open_page()
    by_accuracy = labels(page)
    times = page.locator(".configurations thead button", has_text="Training")
    times.click()
    assert labels(page) == [f"learning rate {rate}" for rate in ("0.008", "0.004", "0.002", "0.001")]
    assert page.locator("[aria-sort=descending]").inner_text().startswith("Training")
    times.press("Enter")
    assert labels(page)[0] == "learning rate 0.001"
    page.locator(".configurations thead button", has_text="accuracy").click()
    assert labels(page) == by_accuracy


def test_the_filter_finds_knobs_and_stays_in_the_address(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("searchbox").fill("learning_rate=0.002 study=rates")
    assert labels(page) == ["learning rate 0.002"]
    assert page.locator("output").first.inner_text() == "1 of 4"
    page.locator(".configurations thead button", has_text="Training").click()
    page.reload()
    assert labels(page) == ["learning rate 0.002"]
    assert page.locator("[aria-sort=descending]").count() == 1
    page.get_by_role("searchbox").fill("")
    assert len(labels(page)) == 4


def test_a_knob_matches_whole_and_filters_are_offered(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("searchbox").fill("learning_rate=0.00")
    assert labels(page) == []
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Add a filter").select_option("learning_rate=0.008")
    assert page.get_by_role("searchbox").input_value() == "learning_rate=0.008"
    assert labels(page) == ["learning rate 0.008"]


def test_columns_are_chosen_and_stay_in_the_address(open_page: Open) -> None:
    page = open_page()
    head = page.locator(".configurations thead th:visible")
    before = head.all_inner_texts()
    assert "learning rate" not in before
    page.locator(".columns summary").click()
    page.get_by_label("learning rate", exact=True).check()
    page.get_by_label("Images/s").uncheck()
    page.reload()
    assert head.all_inner_texts() == [name for name in before if name != "Images/s"] + ["learning rate"]
    page.locator(".configurations thead button", has_text="learning rate").click()
    assert labels(page)[0] == "learning rate 0.008"


def test_a_curve_is_hidden_by_its_name_and_comes_back(open_page: Open) -> None:
    page = open_page()
    lines = page.locator("[data-chart=curves] .mark-line path")
    expect(lines).to_have_count(4 * 4)
    name = page.locator(".legend button", has_text="learning rate 0.002")
    name.click()
    expect(lines).to_have_count(4 * 3)
    assert name.get_attribute("aria-pressed") == "false"
    name.press("Enter")
    expect(lines).to_have_count(4 * 4)


def test_pointing_at_a_curve_shows_its_values(open_page: Open) -> None:
    page = open_page()
    point = page.locator("[data-chart=curves] .mark-symbol path").first
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    tooltip = page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    for word in ("learning rate 0.00", "epoch", "mean", "low", "high"):
        assert word in tooltip.inner_text()


def test_images_on_which_two_configurations_disagree(open_page: Open) -> None:
    page = open_page()
    pictures = page.locator(".pictures li:visible")
    assert pictures.count() == 2
    page.get_by_label("Only where these two disagree").check()
    assert pictures.count() == 1
    page.get_by_label("Second configuration").select_option("3")
    assert pictures.count() == 2
    page.get_by_label("First configuration").select_option("3")
    assert pictures.count() == 0
    assert page.locator(".pictures output").inner_text() == "0 of 2"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_rules_of_axe_are_kept(open_page: Open, scheme: str) -> None:
    page = open_page(scheme=scheme)
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_command_that_trains_a_run_again_is_copied(open_page: Open) -> None:
    page = open_page()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".configurations summary").first.click()
    page.locator(".copy").first.click()
    page.get_by_text("copied").wait_for()
    command = page.evaluate("navigator.clipboard.readText()")
    given = shlex.split(command)[1:]
    args = parser(given).parse_args(given)
    assert args.verb == "train"
    assert args.output.name.endswith(f"-s{args.seed or 0}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page(open_page: Open, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, AA) between text and page, in the figures too."""
    page = open_page(scheme=scheme)
    for selector in ("p", ".note", "td", "thead th", "a", "figure svg text", ".facts li"):
        assert page.eval_on_selector(selector, CONTRAST) >= 4.5, selector


CONTRAST = """element => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const style = getComputedStyle(element);
  const ink = element.namespaceURI.endsWith('svg') ? style.fill : style.color;
  const [a, b] = [ink, getComputedStyle(document.body).backgroundColor].map(c => light(numbers(c)));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""


def test_no_text_is_smaller_than_12_pixels(open_page: Open) -> None:
    for width in (375, 1280):
        page = open_page(width)
        sizes = page.eval_on_selector_all(
            "body *:not(svg *)", "all => all.map(e => parseFloat(getComputedStyle(e).fontSize))"
        )
        assert min(sizes) >= 12
        heights = page.eval_on_selector_all(
            "figure svg text",
            "all => all.map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)",
        )
        assert min(heights) >= 10.5  # figures shrink a little on the narrowest phones


def test_it_prints(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
