"""The site in a real browser: it sorts, filters and toggles, also without a mouse, and nothing of a student's acts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from site_fakes import EVIL, NAMES, plain_class, site_of

from harness.text import clean


@pytest.fixture
def by() -> Any:
    from selenium.webdriver.common.by import By

    return By


@pytest.fixture
def keys() -> Any:
    from selenium.webdriver.common.keys import Keys

    return Keys


def names(board: Any) -> list[str]:
    """Of the people in the table, in their order, as they can be seen."""
    rows = board.find_elements("css selector", "#ranking tbody tr:not(.baseline)")
    return [row.find_element("css selector", "bdi").text for row in rows if row.is_displayed()]


def column(board: Any, title: str) -> int:
    headers = [each.text.split()[0] for each in board.find_elements("css selector", "#ranking thead th")]
    return headers.index(title)


def figures(board: Any, title: str) -> list[float]:
    place = column(board, title) + 1
    cells = board.find_elements("css selector", f"#ranking tbody tr:not(.baseline) > :nth-child({place})")
    return [float(cell.text.split()[0].replace(",", "")) for cell in cells]


def press(board: Any, title: str) -> None:
    board.find_elements("css selector", "#ranking thead th")[column(board, title)].find_element(
        "css selector", "button"
    ).click()


def test_the_board_comes_ranked_with_baselines_between(board: Any) -> None:
    assert names(board) == [clean(name, 60) for name in NAMES]
    rows = [row.text for row in board.find_elements("css selector", "#ranking tbody tr")]
    assert next(index for index, text in enumerate(rows) if "strong baseline" in text) == 1


def test_a_header_sorts_both_ways_and_says_so(board: Any) -> None:
    for title, best_is_high in (("parameters", False), ("accuracy", True)):
        header = board.find_elements("css selector", "#ranking thead th")[column(board, title)]
        press(board, title)
        first = figures(board, title)
        assert first == sorted(first, reverse=best_is_high)
        assert header.get_attribute("aria-sort") == ("descending" if best_is_high else "ascending")
        press(board, title)
        assert figures(board, title) == first[::-1]
        assert header.get_attribute("aria-sort") == ("ascending" if best_is_high else "descending")
    sorts = [each.get_attribute("aria-sort") for each in board.find_elements("css selector", "[aria-sort]")]
    assert sorted(sorts)[:-1] == ["ascending"] + ["none"] * (len(sorts) - 2)
    assert board.find_elements("css selector", "tr.baseline") == []
    press(board, "rank")
    assert len(board.find_elements("css selector", "tr.baseline")) == 2


def test_the_filter_narrows_and_says_how_many_are_left(board: Any) -> None:
    box = board.find_element("id", "filter")
    box.send_keys("AÑEJO")
    assert names(board) == ["Añejo 🦊"]
    assert board.find_element("id", "count").text == "1 of 5 shown"
    box.clear()
    box.send_keys("مريم")
    assert names(board) == ["مريم"]
    box.clear()
    box.send_keys("<script>")
    assert names(board) == [clean(EVIL, 60)]
    box.clear()
    box.send_keys(" ")
    assert len(names(board)) == 5
    board.find_element("id", "front").click()
    marked = [row for row in board.find_elements("css selector", "#ranking tr.best") if row.is_displayed()]
    assert 0 < len(names(board)) == len(marked) < 5


def test_a_submission_opens_and_leads_back(board: Any) -> None:
    board.find_element("css selector", "#ranking tbody a").click()
    assert board.find_element("css selector", "h1").text == NAMES[0]
    shown = board.find_element("css selector", "main").text
    for expected in (
        "parameter_limit",
        "95.00 %",
        "over 1,035" if "over" in shown else "within 1,035",
        "How it was graded",
    ):
        assert expected in shown
    board.find_element("css selector", ".eyebrow a").click()
    assert board.find_elements("id", "ranking")


def test_a_curve_is_switched_on_and_off(board: Any) -> None:
    def visible(number: int) -> bool:
        return any(each.is_displayed() for each in board.find_elements("css selector", f".s{number} .line"))

    assert [visible(number) for number in range(5)] == [True, True, True, False, False]
    boxes = board.find_elements("css selector", ".choices input")
    boxes[0].click()
    boxes[4].click()
    assert [visible(number) for number in range(5)] == [False, True, True, False, True]
    select = board.find_element("id", "kind")
    options = select.find_elements("css selector", "option")
    options[1].click()
    captions = [each.text for each in board.find_elements("css selector", ".overlay figcaption") if each.is_displayed()]
    assert captions == [options[1].text]


def test_without_scripts_all_is_there_and_curves_are_switched(board: Any, site: Path) -> None:
    board.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        board.get((site / "index.html").as_uri())
        assert len(names(board)) == len(NAMES)
        assert not board.find_element("id", "filter").is_displayed()
        assert all(each.is_displayed() for each in board.find_elements("css selector", ".overlay"))
        lines = board.find_elements("css selector", ".wide-only .s1 .line")
        assert any(each.is_displayed() for each in lines)
        board.find_elements("css selector", ".choices input")[1].click()
        assert not any(each.is_displayed() for each in lines)
    finally:
        board.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_everything_works_without_a_mouse(board: Any, keys: Any) -> None:
    active = lambda: board.switch_to.active_element  # noqa: E731
    reached: list[str] = []
    board.find_element("css selector", "body").send_keys(keys.TAB)
    assert active().text == "Skip to the content"
    for _ in range(60):
        element = active()
        reached.append(element.get_attribute("id") or element.text or element.tag_name)
        if element.get_attribute("id") == "filter":
            element.send_keys("brien")
            assert names(board) == [NAMES[3]]
            element.clear()
        if element.tag_name == "button" and element.text.startswith("parameters"):
            element.send_keys(keys.ENTER)
            assert figures(board, "parameters") == sorted(figures(board, "parameters"))
        if element.get_attribute("value") == "4":
            assert board.find_elements("css selector", ".s4 .line")[0].is_displayed() is False
            element.send_keys(keys.SPACE)
            assert board.find_elements("css selector", ".s4 .line")[0].is_displayed()
            break
        element.send_keys(keys.TAB)
    else:
        pytest.fail(f"the last curve was not reached, only {reached}")
    assert "filter" in reached
    assert any(each.startswith("parameters") for each in reached)
    assert NAMES[0] in reached


def test_a_long_board_begins_short_and_sorts_and_filters_all_of_it(board: Any, site: Path) -> None:
    (site / "long.html").write_text(site_of(plain_class(700))[1]["index.html"], encoding="utf-8")
    board.get((site / "long.html").as_uri())

    def shown() -> int:
        return board.execute_script("return document.querySelectorAll('#ranking tbody tr:not([hidden])').length")

    baselines = 2
    assert shown() == 500 + baselines
    assert board.find_element("id", "count").text == "500 of 700 shown"
    press(board, "accuracy")
    press(board, "accuracy")
    assert board.find_element("css selector", "#ranking tbody td small").text == "49.00–96.00 %"
    # The last of the board comes first now, although it was not shown before.
    assert board.find_element("css selector", "#ranking tbody td").text == "700"
    board.find_element("id", "filter").send_keys("student-0069")
    assert shown() == 10
    board.find_element("id", "filter").clear()
    board.find_element("id", "filter").send_keys(" ")
    board.find_element("id", "more").click()
    assert shown() == 700
    assert not board.find_element("id", "more").is_displayed()


def test_hostile_names_stay_text(board: Any, site: Path) -> None:
    titles = {board.title}
    for page in sorted((site / "submissions").iterdir()):
        board.get(page.as_uri())
        titles.add(board.title)
        assert board.find_elements("css selector", "main script, main img") == []
    assert "owned" not in titles
    assert any("<script>" in title for title in titles)


@pytest.mark.parametrize("width", [390, 1200])
def test_no_page_is_wider_than_the_screen(board: Any, site: Path, width: int) -> None:
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    board.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for page in [site / "index.html", *sorted((site / "submissions").iterdir())]:
        board.get(page.as_uri())
        assert board.execute_script("return document.documentElement.scrollWidth") <= width, page.name


def test_a_phone_shows_rank_name_accuracy_and_score_without_scrolling(board: Any, site: Path) -> None:
    screen = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    board.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    board.get((site / "index.html").as_uri())
    headers = board.find_elements("css selector", "#ranking thead th")
    shown = {each.text.split()[0]: each.rect for each in headers if each.is_displayed()}
    places = {title: shown[title] for title in ("rank", "name", "accuracy", "score")}
    assert max(place["x"] + place["width"] for place in places.values()) <= 390
    # A name of twelve letters stays in one piece.
    assert places["name"]["width"] >= 120


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """WCAG 2.2's contrast ratio of two sRGB colours, 0…255."""

    def luminance(colour: tuple[float, ...]) -> float:
        parts = [value / 255 for value in colour]
        linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _rgb(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text[text.index("(") + 1 : -1].split(",")[:3])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out(board: Any, site: Path, scheme: str) -> None:
    assert _contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    board.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    paper = _rgb(board.execute_script("return getComputedStyle(document.body).backgroundColor"))
    for page in [site / "index.html", *list((site / "submissions").iterdir())[:2]]:
        board.get(page.as_uri())
        colours = board.execute_script(
            "return [...document.querySelectorAll('body *')].filter(e => e.childNodes.length && e.innerText !== undefined"
            " && e.innerText.trim() && e.getClientRects().length).map(e => getComputedStyle(e).color)"
        )
        assert colours
        for colour in set(colours):
            assert _contrast(_rgb(colour), paper) >= 4.5, (page.name, colour)
        lines = board.execute_script(
            "return [...document.querySelectorAll('g .line')].map(e => getComputedStyle(e).stroke)"
        )
        for colour in set(lines):
            assert _contrast(_rgb(colour), paper) >= 3, (page.name, colour)
