"""The page in a real headless Chromium: it opens offline, on a phone, in the dark, and on paper."""

import re
import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from cifarbench.analysis.pictures import png
from cifarbench.cli.parser import parser
from cifarbench.config.flags import chosen_knobs
from cifarbench.config.ids import run_id
from cifarbench.plan.grid import config_of
from cifarbench.report.page import render
from helpers.browser import chromium, open_offline
from helpers.claims import with_claims
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
    render(with_claims(plan), table, folder, pictures=pd.DataFrame(rows))
    return (folder / "index.html").as_uri()


@pytest.fixture(scope="module")
def open_page(address: str) -> Iterator[Open]:
    """Return a function that opens the page offline and demands an empty console and no request."""
    with chromium() as browser:
        yield lambda width=1280, scheme="light", at="": open_offline(browser, address + at, width, scheme)


def unfold(page: Page) -> None:
    page.evaluate("document.querySelectorAll('main details').forEach(details => details.open = true)")
    expect(page.locator(".cite")).to_have_count(page.locator("[data-card]").count())


@pytest.mark.parametrize("width", [320, 375, 768, 1280, 2560])
def test_no_width_makes_the_page_scroll_sideways(open_page: Open, width: int) -> None:
    page = open_page(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    unfold(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_headings_come_in_order_and_every_figure_has_words(open_page: Open) -> None:
    page = open_page()
    levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => +h.tagName[1])")
    assert levels[:2] == [1, 2]
    assert all(later - earlier <= 1 for earlier, later in pairwise(levels))
    figures = page.locator("figure [role=img]")
    assert figures.count() == page.locator("figure").count() >= 9
    for index in range(figures.count()):
        assert re.search(
            "(learning rate |learning_rate=)0.00", figures.nth(index).get_attribute("aria-label")
        )


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
    times.click()  # what is better low begins with the lowest
    assert labels(page) == [f"lenet5, learning rate {rate}" for rate in ("0.001", "0.002", "0.004", "0.008")]
    assert page.locator("[aria-sort=ascending]").inner_text().startswith("Training")
    times.press("Enter")
    assert labels(page)[0] == "lenet5, learning rate 0.008"
    page.locator(".configurations thead button", has_text="Test accuracy").click()
    assert labels(page) == by_accuracy


def test_the_filter_finds_knobs_and_stays_in_the_address(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("searchbox").fill("learning_rate=0.002 study=rates")
    assert labels(page) == ["lenet5, learning rate 0.002"]
    assert page.locator("output").first.inner_text() == "1 of 4"
    page.locator(".configurations thead button", has_text="Training").click()
    page.reload()
    assert labels(page) == ["lenet5, learning rate 0.002"]
    assert page.locator("[aria-sort=ascending]").count() == 1
    page.get_by_role("searchbox").fill("")
    assert len(labels(page)) == 4


def test_a_knob_matches_whole_and_filters_are_offered(open_page: Open) -> None:
    page = open_page()
    page.get_by_role("searchbox").fill("learning_rate=0.00")
    assert labels(page) == []
    assert "No configuration has all of these words" in page.locator("output").first.inner_text()
    example = (page.get_by_role("searchbox").get_attribute("placeholder") or "").partition("example: ")[2]
    page.get_by_role("searchbox").fill(example)
    assert len(labels(page)) >= 1
    page.get_by_role("searchbox").fill("")
    page.get_by_role("combobox", name="Add a filter").select_option("learning_rate=0.008")
    assert page.get_by_role("searchbox").input_value() == "learning_rate=0.008"
    assert labels(page) == ["lenet5, learning rate 0.008"]


def test_columns_are_chosen_and_stay_in_the_address(open_page: Open) -> None:
    page = open_page()
    head = page.locator(".configurations thead th:visible")
    before = head.all_inner_texts()
    assert "learning rate" not in before
    page.locator(".columns summary").click()
    page.get_by_label("learning rate", exact=True).check()
    page.get_by_role("checkbox", name="Test loss").uncheck()
    page.reload()
    assert head.all_inner_texts() == [name for name in before if name != "Test loss"] + ["learning rate"]
    page.locator(".configurations thead button", has_text="learning rate").click()
    assert labels(page)[0] == "lenet5, learning rate 0.008"


def test_a_curve_is_hidden_by_its_name_and_comes_back(open_page: Open) -> None:
    page = open_page()
    lines = page.locator("[data-chart=curves] .mark-line path")
    expect(lines).to_have_count(4 * 4 * 3)  # fields, configurations, seeds
    name = page.locator("#study-rates ~ .linked .legend button", has_text="learning rate 0.002")
    name.click()
    expect(lines).to_have_count(4 * 3 * 3)
    assert name.get_attribute("aria-pressed") == "false"
    name.press("Enter")
    expect(lines).to_have_count(4 * 4 * 3)


def test_every_figure_answers_a_tap(open_page: Open) -> None:
    page = open_page(375)
    bubble = page.locator("#bubble.visible")
    figures = page.locator(".chart, .strip svg:has(circle)")
    assert figures.count() > 20
    for index in range(figures.count()):
        page.keyboard.press("Escape")
        figures.nth(index).scroll_into_view_if_needed()
        figures.nth(index).click(position={"x": 60, "y": 12})
        assert any(word in bubble.inner_text() for word in ("seed", "%", "published")), index


def test_pointing_at_a_curve_tells_configuration_seed_epoch_and_value(open_page: Open) -> None:
    page = open_page()
    chart = page.locator("[data-chart=curves]").first
    chart.scroll_into_view_if_needed()
    chart.click(position={"x": 150, "y": 100})
    assert re.match(
        r"learning rate 0\.00\d: seed \d, epoch [1-4]: \d", page.locator("#bubble.visible").inner_text()
    )


def test_a_word_is_explained_where_it_stands_and_in_the_glossary(open_page: Open) -> None:
    page = open_page(375)
    term = page.locator("main .term", has_text="seed").first
    term.click()
    says = page.locator("#bubble.visible").inner_text()
    assert "decides all that is random in a run" in says
    assert says in page.locator("section:has(#glossary)").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("#bubble.visible").count() == 0
    known = page.locator("[data-word]").evaluate_all("all => all.map(e => e.dataset.word)")
    used = page.locator(".term").evaluate_all("all => all.map(e => e.dataset.term)")
    assert set(used) <= set(known)


def test_claims_are_filtered_by_outcome(open_page: Open) -> None:
    page = open_page(375)
    cards = page.locator(".card[data-outcome]:visible")
    assert cards.count() == 1
    outcome = cards.get_attribute("data-outcome")
    page.get_by_label("Outcome").select_option(outcome)
    assert cards.count() == 1
    assert page.locator("#claim-filters output").inner_text() == "1 claims tested"


def test_hard_images_are_filtered_by_who_errs(open_page: Open) -> None:
    page = open_page()
    pictures = page.locator(".pictures li:visible")
    which = page.get_by_label("Which images")
    said = page.locator(".pictures output")
    assert pictures.count() == 2
    which.select_option("differ 0 1")
    assert pictures.count() == 1
    which.select_option("wrong 0")
    assert pictures.count() == 0
    assert said.inner_text() == "0 of 2: it gets all of these right"
    which.select_option("wrong 3")
    assert pictures.count() == 2


def test_targets_are_at_least_24_pixels_high(open_page: Open) -> None:
    """WCAG 2.2, 2.5.8; links inside sentences are exempt."""
    for width in (375, 1280):
        page = open_page(width)
        unfold(page)
        found = page.eval_on_selector_all(
            "button, select, summary, input, nav a, .chip",
            "all => all.filter(e => e.offsetParent)"
            ".map(e => [e.getBoundingClientRect().height, e.outerHTML])",
        )
        assert [html[:120] for height, html in found if height < 23.9] == []


def test_the_menu_is_a_column_or_a_bar(open_page: Open) -> None:
    wide = open_page(1440)
    wide.get_by_role("navigation").get_by_role("link", name="All configurations").click()
    assert wide.locator("#configurations").bounding_box()["y"] < 100
    phone = open_page(375)
    assert not phone.get_by_role("link", name="All configurations").is_visible()
    phone.get_by_text("Menu").click()
    phone.get_by_role("link", name="All configurations").click()
    assert phone.locator("#configurations").bounding_box()["y"] < 120
    phone.get_by_role("link", name="Top").click()
    assert phone.get_by_role("heading", level=1).bounding_box()["y"] > 0


def test_first_column_and_head_of_the_table_stay(open_page: Open) -> None:
    page = open_page(375)
    name = page.locator(".configurations tbody th").first
    before = name.bounding_box()["x"]
    page.locator(".scroll.tall").evaluate("e => { e.scrollLeft = 200; }")
    assert name.bounding_box()["x"] == pytest.approx(before, abs=1)
    head = page.locator(".configurations thead th:visible").all_inner_texts()
    assert [text.split()[0] for text in head[:2]] == ["Configuration", "Test"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_rules_of_axe_are_kept(open_page: Open, scheme: str) -> None:
    page = open_page(scheme=scheme)
    unfold(page)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_a_run_has_an_address_and_a_card_to_cite_and_check(open_page: Open) -> None:
    plan, _ = synthetic()
    run = plan.runs[4]
    page = open_page(at=f"#run={run.id}")
    card = page.locator(".cite")
    card.wait_for()
    text = card.inner_text()
    for fact in ("Synthetic Processor", "0123456789abcdef", "b" * 64, "torch 2.15.0", "cifar10"):
        assert fact in text
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the commands").click()
    page.get_by_text("Copied").wait_for()
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    trainings = [shlex.split(line)[1:] for line in lines if line.startswith("cifarbench train")]
    ids = []
    for given in trainings:
        args = parser(given).parse_args(given)
        config = config_of(chosen_knobs(args), None)
        ids.append(run_id(config))
        assert args.output.name == ids[-1]
    assert ids == [other.id for other in plan.runs if other.configuration == run.configuration]
    page.get_by_role("button", name="Copy as BibTeX").click()
    bibtex = page.evaluate("navigator.clipboard.readText()")
    assert bibtex.startswith(f"@misc{{cifarbench-{run.configuration.replace('=', '-').replace('.', '-')},")
    assert bibtex.count("{") == bibtex.count("}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page(open_page: Open, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, AA) between text and page, in the figures too."""
    page = open_page(scheme=scheme)
    for selector in (
        "p",
        ".note",
        "td",
        "thead th",
        "a",
        ".chart svg text",
        ".facts li",
        ".outcome",
        ".ticks span",
    ):
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
            ".chart svg text",
            "all => all.map(e => parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a)",
        )
        assert min(heights) >= 10.5  # figures shrink a little on the narrowest phones


def test_it_prints(open_page: Open, tmp_path: Path) -> None:
    page = open_page()
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
