"""What students may see, held against a result that is secret in every field."""

from __future__ import annotations

import pytest
from result_fakes import MEASURES, VERIFIED, metric, result, rules, unverified

from harness.api import Check, Layer
from harness.audience import for_class, for_student, withheld
from harness.values.curves import Curve, Row, Series, Table
from harness.values.networks import Verification
from harness.values.results import PointLine, Result
from harness.values.rules import PointRule, Rubric

SPLIT = {"test": {"id": "digits", "dataset": "idx", "path": "data", "public_fraction": 0.5}}
SECRET = "SECRET"


def loaded(**changes: object) -> Result:
    """A result whose every text about private images says so."""
    fields: dict[str, object] = {
        "metrics": {
            "parameters": metric(9, unit="parameters"),
            "accuracy": metric(0.9111),
            "accuracy_public": metric(0.8222),
            "accuracy_private": metric(0.9333),
            "knee": metric(9111, unit="parameters"),
        },
        "checks": (
            Check.passed("parameter_limit", "9 of 10"),
            Check.passed("accuracy_baseline", "accuracy 0.8222 reaches simple"),
            Check.could_not_check("claims", f"{SECRET}"),
            Check.failed("integrity_scrub", f"evidence {SECRET}", SECRET),
        ),
        "points": (
            PointLine(name="size", points=1, max_points=2, reason="parameters 9"),
            PointLine(name="private", points=3, max_points=3, reason=SECRET),
            PointLine(name="someone else's", points=3, max_points=3, reason=SECRET),
        ),
        "score": 4.0,
        "max_score": 5.0,
        "notes": (SECRET,),
        "layers": (Layer(name=SECRET, kind="Conv2d", output=(1,), parameters=1),),
        "printed": SECRET,
        "confusion": ((1, 2), (3, 4)),
    }
    return result(**{**fields, **changes})  # type: ignore[arg-type]


GATED = Rubric(
    points=(
        PointRule(name="size", metric="parameters", at_most=10, points=2),
        PointRule(name="private", baseline="simple", points=3),
    ),
)


def test_with_private_images_only_what_no_image_decides_is_left() -> None:
    shown = for_student(loaded(), rules(data=SPLIT, rubric=GATED), MEASURES)
    assert SECRET not in shown.model_dump_json()
    assert set(shown.metrics) == {"parameters", "accuracy_public"}
    # Of split data the baseline is judged on the public images.
    assert [each.name for each in shown.checks] == ["parameter_limit", "accuracy_baseline"]
    assert [line.name for line in shown.points] == ["size"]
    assert (shown.score, shown.max_score) == (1.0, 2.0)
    assert shown.curves == ()
    assert shown.predictions is None
    assert shown.confusion == ((1, 2), (3, 4))


def test_a_gate_that_private_images_decide_takes_all_points_out_of_sight() -> None:
    gated = GATED.model_copy(update={"gates": ("claims",)})
    assert for_student(loaded(), rules(data=SPLIT, rubric=gated), MEASURES).points == ()


@pytest.mark.parametrize("published", [False, True])
def test_evidence_and_prints_stay_with_the_instructor(published: bool) -> None:
    document = rules(data=SPLIT if published else rules().data)
    plain = loaded(notes=(), layers=(), points=(), checks=(Check.failed("integrity_scrub", SECRET, SECRET),))
    shown = for_student(plain, document, MEASURES, published=published)
    assert SECRET not in shown.model_dump_json()
    assert shown.metrics == plain.metrics
    assert shown.curves == plain.curves
    assert shown.score == 4.0


@pytest.mark.parametrize("status", ["crashed", "timed_out", "out_of_memory", "harness_error"])
@pytest.mark.parametrize("see", [for_student, for_class])
def test_what_failing_code_said_is_not_repeated(status: str, see: object) -> None:
    failed = result(status=status, reason=f"ValueError: {SECRET}", hint=SECRET, checks=(), curves=(), points=())
    shown = see(failed, rules(), MEASURES)  # type: ignore[operator]
    assert SECRET not in shown.model_dump_json()
    assert shown.reason
    assert "harness check" in shown.hint


def test_the_student_reads_why_files_were_rejected_and_the_class_does_not() -> None:
    rejected = result(status="rejected", reason="there is no weights file", hint="add one", points=())
    assert for_student(rejected, rules(), MEASURES).reason == "there is no weights file"
    assert "weights file" not in for_class(rejected, rules(), MEASURES).model_dump_json()
    assert for_student(rejected, rules(data=SPLIT), MEASURES).reason == "cannot be used as handed in"
    unread = rejected.model_copy(update={"digest": None})
    assert for_student(unread, rules(data=SPLIT), MEASURES).reason == "there is no weights file"


def test_the_class_sees_no_names() -> None:
    shown = for_class(loaded(members=("Alice Liddell",), nickname="Rabbit"), rules(), MEASURES)
    assert "Alice" not in shown.model_dump_json()
    assert shown.members == ()


def test_the_class_sees_verdicts_and_numbers_and_no_words_that_a_student_chose() -> None:
    """Reasons quote names of files, lines of source and what was raised; layers and notes are named by students."""
    points = (PointLine(name="size", points=1, max_points=2, reason="parameters 9"),)
    shown = for_class(loaded(points=points), rules(), MEASURES)
    assert SECRET not in shown.model_dump_json()
    assert [(each.name, each.verdict, each.reason) for each in shown.checks] == [
        ("parameter_limit", "passed", ""), ("accuracy_baseline", "passed", ""), ("claims", "could_not_check", "")
    ]  # fmt: skip
    assert (shown.notes, shown.layers) == ((), ())
    assert shown.metrics == loaded().metrics


def test_the_class_reads_numbers_where_a_student_chose_what_something_is_called() -> None:
    points = ((1.0, 0.5),)
    series = (Series(label="global L1", points=points), Series(label=SECRET, points=points, of_student=True))
    rows = (Row(label="teacher", cells=(None,)), Row(label=SECRET, cells=(None,), of_student=True))
    given = loaded(
        points=(),
        curves=(Curve(name="measured", x="parameters", y="accuracy", series=series),),
        tables=(Table(name="methods", columns=("parameters",), rows=rows),),
    )
    shown = for_class(given, rules(), MEASURES)
    assert SECRET not in shown.model_dump_json()
    assert [each.label for each in shown.curves[0].series] == ["global L1", "series 2"]
    assert [each.label for each in shown.tables[0].rows] == ["teacher", "network 2"]
    assert for_student(given, rules(), MEASURES).curves == given.curves


def test_a_students_version_says_what_kinds_of_things_it_leaves_out() -> None:
    whole = loaded(status="crashed", reason=SECRET)
    found = withheld(whole, for_student(whole, rules(data=SPLIT), MEASURES))
    assert found == ("what depends on private images", "the message its code failed with", "what its code printed")
    assert withheld(whole, whole) == ()
    plain = result()
    assert withheld(plain, for_student(plain, rules(), MEASURES)) == ()


def test_no_field_reaches_a_student_unless_it_was_thought_of() -> None:
    """Whoever adds a field to results decides here who sees it: by default nobody does."""
    instructors = {"printed", "correct"}
    split_only = {"predictions"}
    shown = set(for_student(loaded(), rules(), MEASURES).model_dump(exclude_defaults=True))
    given = set(loaded().model_dump(exclude_defaults=True))
    assert given - shown <= instructors | split_only


@pytest.mark.parametrize("split", [False, True])
def test_the_student_reads_why_a_network_is_not_verified_and_the_class_that_it_is_not(split: bool) -> None:
    given = rules(data=SPLIT) if split else rules()
    found = result(network=unverified(f"WHY\x1b[2J\u202e {'x' * 900}"))
    network = for_student(found, given, MEASURES).network
    assert network is not None
    assert network.reason is not None
    assert network.reason.startswith("WHY x")
    assert len(network.reason) == 500
    assert for_class(found, given, MEASURES).network == Verification(verified=False)


def test_everyone_may_know_that_a_network_is_verified() -> None:
    assert for_student(result(network=VERIFIED), rules(data=SPLIT), MEASURES).network == VERIFIED
    assert for_class(result(network=VERIFIED), rules(), MEASURES).network == Verification(verified=True, operators=17)
    assert for_class(result(), rules(), MEASURES).network is None
