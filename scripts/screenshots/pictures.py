"""Pictures of Airflow's screens, by a browser without a window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

MAX_BYTES = 150_000
SIZE = {"width": 1180, "height": 640}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
# a page is whole some time after its last request: it is drawn step by step
DRAWN_MILLISECONDS = 3000


class Camera:
    """Takes pictures of the pages of one site.

    :param folder: where they are written.
    """

    def __init__(self, page: Page, url: str, folder: Path) -> None:
        self.page = page
        self._url = url
        self._folder = folder

    def open(self, path: str) -> None:
        self.page.goto(self._url + path)
        self.page.wait_for_timeout(DRAWN_MILLISECONDS)

    def take(self, name: str, path: str | None = None) -> None:
        """Take a picture of a page, of the open one by default.

        :raises SystemExit: if it is larger than the documentation should hold.
        """
        if path is not None:
            self.open(path)
        file = self._folder / f"{name}.png"
        self.page.screenshot(path=file)
        if (size := file.stat().st_size) > MAX_BYTES:
            raise SystemExit(f"{file} has {size} bytes, and {MAX_BYTES} at most are wanted: show less on it")
        print(f"{file} {size} bytes", flush=True)


@contextmanager
def camera(url: str, folder: Path) -> Iterator[Camera]:
    """Open a browser for the length of a ``with``, with a profile of its own."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"none of these browsers is installed: {', '.join(BROWSERS)}")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        raise SystemExit("playwright is not installed: make screenshots installs it") from None
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=list(OPTIONS))
        yield Camera(running.new_page(viewport=SIZE, locale="en"), url, folder)
        running.close()
