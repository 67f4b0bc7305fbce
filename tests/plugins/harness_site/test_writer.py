"""The site's files: whole, escaped, self-contained, and small enough for ten thousand."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from html.parser import HTMLParser

import pytest
from harness_site import scatter as harness_site_scatter
from harness_site import table as harness_site_table
from harness_site import writer as harness_site
from result_fakes import VERIFIED, assignment, attempts, result, submission_rules, unverified
from site_fakes import NAMES, hostile_class, plain_class, site_of

from harness.api import Check, Writer
from harness.board.builder import standings
from harness.charts.scales import Scale

VOID = {"meta", "link", "input", "br", "wbr"}


class Page(HTMLParser):
    """Every element with its attributes, all text, and whether every element was closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in <{tag}>"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.shown += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    return site_of(hostile_class())[1]


def test_there_is_a_page_for_everyone_and_links_lead_there(files: dict[str, str]) -> None:
    assert len(files) == 1 + len(NAMES) + 1
    links = {each["href"] for each in Page(files["index.html"]).all("a")} - {"#main", "#not-ranked"}
    assert links == set(files) - {"index.html"}
    for path in links:
        assert re.fullmatch(r"submissions/[0-9a-f]{16}\.html", path)
        assert "../index.html" in {each["href"] for each in Page(files[path]).all("a")}


def test_no_text_of_a_student_becomes_markup(files: dict[str, str]) -> None:
    for path, text in files.items():
        page = Page(text)
        assert len(page.all("script")) == (path == "index.html")
        assert page.all("img") == []
        assert not any(name.startswith("on") or name == "style" for _, each in page.elements for name in each)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "PRINTED" not in text
        assert "SECRET" not in text
    assert "<script>document.title='owned'</script>" in Page(files["index.html"]).shown
    assert "مريم" in files["index.html"]


def test_the_policy_allows_exactly_what_is_inside(files: dict[str, str]) -> None:
    for text in files.values():
        policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
        assert policy is not None
        allowed = policy[1].replace("&#39;", "'")
        assert allowed.startswith("default-src 'none'; ")
        for tag in ("style", "script"):
            for inside in re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL):
                digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
                assert f"{tag}-src 'sha256-{digest}'" in allowed
        assert "unsafe" not in allowed
        assert not re.search(r"https?:", text.replace("http-equiv", ""))


def test_tables_have_headers_and_sorting_is_said(files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    assert all(each.get("scope") in {"col", "row"} for each in page.all("th"))
    assert next(each["aria-sort"] for each in page.all("th") if "aria-sort" in each) == "ascending"
    buttons = page.all("button")
    assert buttons
    assert {each["type"] for each in buttons} == {"button"}
    assert {each["data-first"] for each in buttons if each.get("id") != "more"} == {"ascending", "descending"}


def test_baselines_limit_and_intervals_are_drawn(files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    assert "strong baseline" in page.shown
    pictures = [each["aria-label"] for each in page.all("svg") if each.get("role") == "img"]
    assert pictures[0].startswith("accuracy against parameters")
    assert [each["class"] for each in page.all("path") if each.get("class") == "limit"] == ["limit"] * 2
    whiskers = next(each["d"] for each in page.all("path") if each.get("class") == "whisker")
    assert whiskers.count("M") == len(NAMES)


def test_curves_can_be_chosen_and_the_first_three_are(files: dict[str, str]) -> None:
    page = Page(files["index.html"])
    boxes = [each for each in page.all("input") if each.get("value")]
    assert ["checked" in each for each in boxes] == [True] * 3 + [False] * 2
    lines = [each["class"].split() for each in page.all("g") if each.get("class", "").startswith("k")]
    assert {name for each in lines for name in each if name.startswith("s")} == {f"s{index}" for index in range(5)}


def test_the_class_page_does_not_name_people() -> None:
    named = result("0123456", nickname="Rabbit", members=("Alice Liddell",), digest="sha256:x")
    _, files = site_of([named])
    for text in files.values():
        assert "Alice" not in text
        assert "0123456" not in text


def test_private_images_decide_nothing_that_is_shown() -> None:
    split = {"test": {"id": "digits", "dataset": "idx", "path": "data", "public_fraction": 0.5}}
    metrics = result(accuracy=0.9111).metrics
    outcome = result(
        metrics={**metrics, "accuracy_public": metrics["accuracy"].model_copy(update={"value": 0.8222})},
        checks=(Check.passed("claims", "0.9111"), Check.failed("integrity_scrub", "EVIDENCE")),
    )
    _, files = site_of([outcome], data=split)
    text = "".join(files.values())
    assert "82.22" in text
    for secret in ("91.11", "0.9111", "EVIDENCE", "integrity_scrub"):
        assert secret not in text


def test_without_reports_and_without_rows_there_is_a_board() -> None:
    writer: Writer = harness_site.Html()
    (text,) = writer.render(standings([], assignment())).values()
    assert "Nobody is ranked yet" in Page(text).shown
    (text,) = writer.render(standings(attempts(result()), assignment())).values()
    assert Page(text).all("a") == [{"class": "skip", "href": "#main"}]


def test_what_was_not_measured_is_empty() -> None:
    bare = result("bare", 0.9).model_copy(
        update={"metrics": {k: v for k, v in result().metrics.items() if k != "stored_bytes"}}
    )
    board = standings(attempts(bare, result("full", 0.8)), assignment())
    table = harness_site_table.SiteTable.of(board)
    place = [column.title for column in table.columns].index(board.title_of("stored_bytes"))
    people = [row for row in table.rows if row.rank is not None]
    assert [row.cells[place].text for row in people] == ["", "4,000"]


def test_an_interval_is_drawn_where_its_ends_are() -> None:
    _, files = site_of([result("a", 0.9, 1000), result("b", 0.8, 500)])
    x = Scale(0, 1, 0, 100)
    assert (x(0.25), x(0.755)) == (25.0, 75.5)
    page = Page(files["index.html"])
    circles = [each for each in page.all("circle") if "r" in each and each["r"] in {"5.5", "4.5"}]
    wide = circles[: len(circles) // 2]
    assert len(wide) == 2
    assert float(wide[0]["cx"]) != float(wide[1]["cx"])
    front = [each["d"] for each in page.all("path") if each.get("class") == "front"]
    # From the smaller network right, then up to the better one: stairs, never a slope.
    assert re.fullmatch(r"M[\d.]+ [\d.]+H[\d.]+V[\d.]+", front[0])


def test_labels_do_not_cover_each_other() -> None:
    rows = [result(f"a rather long name {index}", 0.8 + index / 1000, 1000 + index) for index in range(40)]
    _, files = site_of(rows)
    texts = re.findall(
        r'<text x="([\d.]+)" y="([\d.]+)"(?: text-anchor="(end)")? class="who">([^<]*)<', files["index.html"]
    )
    assert texts
    boxes = []
    for x, y, end, text in texts[: len(texts) // 2]:
        width = len(text) * harness_site_scatter._LETTER
        left = float(x) - width if end else float(x)
        boxes.append((left, float(y) - 11, left + width, float(y) + 4))
    for index, one in enumerate(boxes):
        assert not any(harness_site_scatter._overlap(one, other) for other in boxes[index + 1 :])


@pytest.mark.slow
def test_ten_thousand_rows_take_seconds() -> None:
    outcomes = plain_class(10_000)
    started = time.process_time()
    board, files = site_of(outcomes, most_reports=500)  # each as quick as the others
    # About 4 s of one core when this was written; the rest is for slower machines.
    assert time.process_time() - started < 30
    assert len(board.standings) == 10_000
    assert len(files) == 501
    assert len(files.pop("index.html").encode()) < 5_000_000
    assert max(len(text.encode()) for text in files.values()) < 20_000


def test_board_and_pages_mark_unverified_networks_and_do_not_tell_the_class_why() -> None:
    outcomes = [result("alice", 0.9, network=VERIFIED), result("bob", 0.8, network=unverified("WHY"))]
    _, files = site_of(outcomes)
    board, alice, bob = (
        Page(files[path]).shown for path in ("index.html", *map(harness_site.page_path, ("alice", "bob")))
    )
    assert re.search(r"bob\s+≈?○", board)
    assert board.count("○") == 2
    assert "○ its code ran on every image: not verified." in board
    assert "○ its code ran on every image: not verified" in bob
    assert "○" not in alice
    assert "network: verified, 17 operators" in alice
    assert not any("WHY" in text for text in files.values())
    _, files = site_of(outcomes, submission=submission_rules("accept"))
    assert not any("○" in text for text in files.values())
