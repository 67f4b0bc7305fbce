"""What `check` says with what was handed out equals what the course's own file says."""

from __future__ import annotations

from builders import limits, noise, write_assignment, write_idx
from hand_ins import IMAGES, PLUGINS, graded, hand_in, sandbox_called

from harness.assignment.loading import load
from harness.data.handout import hand_out


def test_a_check_at_home_equals_the_course_s(tmp_path):
    write_idx(tmp_path / "data", *noise(IMAGES))
    test = {"id": "noise", "dataset": "idx", "path": "data", "public_fraction": 0.5}
    evaluators = {"accuracy": {}, "parameter_limit": {"limit": 1000}, "pruning_curve": {"fractions": [0.5]}}
    rubric = {"points": [{"name": "level", "metric": "accuracy_public", "at_least": 0.2, "points": 3}]}
    file = write_assignment(tmp_path, data={"test": test}, evaluators=evaluators, limits=limits(40), rubric=rubric)
    course = load(str(file), PLUGINS)
    hand_out(course, PLUGINS, tmp_path / "kit")
    kit = load(str(tmp_path / "kit" / "assignment.toml"), PLUGINS)
    work, sandbox = hand_in(tmp_path / "work"), sandbox_called("auto")
    said = [graded(each, [work], sandbox, audience="student")["work"] for each in (course, kit)]
    one, other = (each.model_dump(exclude={"seconds", "measured_at"}) for each in said)
    assert one == other
    assert one["status"] == "graded"
    assert {"accuracy", "accuracy_public"} <= one["metrics"].keys()
