"""Three readers with their tasks, on the published page: what each looks for is found by role and text."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from helpers.browser import chromium, open_offline
from helpers.repository import REPOSITORY

ADDRESS = (REPOSITORY / "reports/index.html").as_uri()


@pytest.fixture(scope="module")
def reader() -> Iterator[Callable[..., Page]]:
    with chromium() as browser:
        yield lambda width, at="": open_offline(browser, ADDRESS + at, width)


def test_a_student_learns_what_to_use_what_a_step_gives_and_what_a_figure_means(
    reader: Callable[..., Page],
) -> None:
    page = reader(1280)
    use = page.get_by_role("region", name="What to use")
    most, little, warning = (
        use.get_by_role("article").filter(has=page.get_by_role("heading", name=title))
        for title in ("Most accurate", "Best for little", "Not this")
    )
    assert re.search(r"\d+\.\d ± \d+\.\d % of the test images right", most.inner_text())
    assert little.count() == 0  # the most accurate trained beside other work: its time is not ranked
    assert "%" in warning.inner_text()
    steps = page.get_by_role("row").filter(has_text="with a schedule that fires").inner_text()
    gains = [float(gain) for gain in re.findall(r"beats “[^”]+” \(\+(\d+\.\d) points", steps)]
    assert len(gains) == 2  # the schedule, then LeakyReLU beside the schedule alone
    assert gains[0] > 2 * gains[1]
    page.get_by_role("button", name="57.7 ± 1.2").click()
    assert "95 % confidence" in page.locator("#bubble").inner_text()


def test_a_researcher_checks_cites_and_takes_the_figures_along(reader: Callable[..., Page]) -> None:
    page = reader(1280)
    page.get_by_role("region", name="What to use").get_by_role("link").first.click()
    card = page.locator(".cite")
    card.wait_for()
    assert "#run=" in page.url
    text = card.inner_text()
    for fact in (
        "Data",
        "Commit",
        "Device",
        "Versions",
        "Behaviour",
        "git clone",
        "git checkout",
        "cifarbench train",
    ):
        assert fact in text
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy as text").click()
    cited = page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"test accuracy \d+\.\d ± \d+\.\d % on cifar10, n = \d \(seed .*cifarbench 0\.", cited)
    study = page.get_by_role("region", name="The same four steps")
    study.get_by_text("Differences, tested").click()
    assert study.get_by_role("columnheader", name="Told apart").is_visible()
    for name in ("runs.parquet", "plan.json", "captions.txt"):
        link = page.get_by_role("link", name=name).first.get_attribute("href")
        assert (REPOSITORY / "reports" / str(link)).is_file()


def test_a_teacher_on_a_phone_sees_why_a_claim_fails_and_what_models_mistake(
    reader: Callable[..., Page],
) -> None:
    page = reader(375)
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("link", name="Published claims").click()
    page.get_by_role("combobox", name="Outcome").select_option(index=1)  # problems come first
    card = page.locator(".card[data-outcome]:visible").first
    why = card.locator(".why")
    assert len(why.inner_text()) > 20
    box = why.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 375
    assert "published" in (card.get_by_role("img").get_attribute("aria-label") or "")
    card.get_by_text("The rule").click()
    assert card.locator(".rule p").is_visible()
    fails = page.get_by_role("region", name="Where models fail")
    assert re.search(r"dog → “cat” \d+ % of images of dog", fails.inner_text())
    page.get_by_role("link", name="Top").click()
    assert page.get_by_role("heading", level=1).is_visible()
