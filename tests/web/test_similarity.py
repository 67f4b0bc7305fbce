"""The page of a comparison: findings first, code side by side, and no text of a student that acts."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from result_fakes import INFO

from harness.api import ClassComparison, Finding, Passage, PassagePlace
from harness.values.class_comparison import ClassReport
from harness.web.similarity import similarity_page

EVIL = "</pre><script>alert(1)</script>\x1b[31m\u202e"
PASSAGE = Passage(
    one=PassagePlace(file="net.py", first_line=3, last_line=4, text="def f(x):\n    return x"),
    other=PassagePlace(file=EVIL, first_line=7, last_line=9, text=EVIL),
)


def found(*findings: Finding, not_kept: tuple[str, ...] = ()) -> ClassReport:
    comparison = ClassComparison(findings=findings, notes=("3 submissions were compared",))
    compared = ("alice", "bob", EVIL)
    return ClassReport(assignment=INFO, compared=compared, not_kept=not_kept, comparisons={"similarity": comparison})


def finding(one: str = "alice", other: str = EVIL, **changes: object) -> Finding:
    evidence = {"found": "in place, code", "resemblance": 0.98765}
    fields = {"submissions": (one, other), "evidence": evidence, "paragraph": f"{one} and {other} resemble each other."}
    return Finding.model_validate({**fields, **changes})


class Texts(HTMLParser):
    """Every element's name, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_findings_come_before_evidence_and_notes() -> None:
    page = similarity_page(found(finding(), not_kept=("carol",)), "Homework")
    places = [page.index(each) for each in ("98.8 %", "Who is like whom", "resemble each other.", "3 submissions were")]
    assert places == sorted(places)
    assert "weights not compared, none kept: carol" in page
    assert "not for publishing" in page


def test_every_number_leads_to_its_evidence() -> None:
    page = similarity_page(found(finding(), finding("bob", "carol")), "Homework")
    linked = set(re.findall(r'href="#(finding-\d+)"', page))
    assert linked == set(re.findall(r'id="(finding-\d+)"', page)) == {"finding-1", "finding-2"}


def test_code_stands_side_by_side_with_its_place_and_indentation() -> None:
    page = similarity_page(found(finding(passages=(PASSAGE,))), "Homework")
    assert "net.py 3–4" in page
    assert "def f(x):\n    return x" in page
    assert page.count("<pre") == 2


def test_no_text_of_a_student_acts() -> None:
    shown = Texts(similarity_page(found(finding(passages=(PASSAGE,)), finding(EVIL, "bob")), EVIL))
    assert "script" not in shown.tags
    assert "alert(1)" in shown.text
    assert not {"\x1b", "\u202e"} & set(shown.text)


def test_a_class_without_findings_has_a_page() -> None:
    page = similarity_page(found(), "Homework")
    assert "Nothing stands out." in page
    assert "<svg" not in page
