"""A headless Chromium that opens pages offline and demands that they are quiet."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from helpers.picture import FLAGS
from helpers.repository import needs


@contextmanager
def chromium() -> Iterator[Browser]:
    program = needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def open_offline(browser: Browser, address: str, width: int = 1280, scheme: str = "light") -> Page:
    """Open a page, wait for its charts, and demand an empty console and no other request."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True)
    page, said, asked = context.new_page(), list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(page.locator(".chart:not(:has(svg))")).to_have_count(0, timeout=120_000)  # a busy machine
    assert said == []
    assert asked == [address.partition("#")[0]]
    return page
