"""A headless Chromium, and a site on disk for it to open."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from requirements import lacking
from site_fakes import hostile_class, site_of


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Skipped where there is no browser, unless the variable HARNESS_REQUIRE_ALL says that there must be one."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        lacking("no chromium and chromedriver on PATH (Debian: apt install chromium chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    # Containers have no user namespaces for root's browser, and a small /dev/shm.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1200,900"):
        options.add_argument(argument)
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site whose every text is hostile."""
    folder = tmp_path_factory.mktemp("site")
    for name, text in site_of(hostile_class())[1].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def board(browser: Any, site: Path) -> Iterator[Any]:
    """The browser on the board's page; afterwards nothing was complained of, and nothing left the machine's disk."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    _requested(browser)
    browser.get_log("browser")
    browser.get((site / "index.html").as_uri())
    yield browser
    assert browser.get_log("browser") == []
    assert {url for url in _requested(browser) if not url.startswith(site.as_uri())} <= {"data:,"}


def _requested(browser: Any) -> set[str]:
    """What was requested since the last time somebody asked."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"}
