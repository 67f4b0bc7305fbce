"""Say what an assignment wants: what to hand in, what it is measured on, what it may use, what gives points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.assignment.loading import Assignment, metric_limits
from harness.plugins import Plugins
from harness.values.late_policy import LatePolicy
from harness.values.measures import ACCURACY
from harness.values.moments import moment_text
from harness.values.rules import AssignmentFile, PointRule

_PIXELS = 255


def wanted(assignment: Assignment, plugins: Plugins) -> dict[str, tuple[str, ...]]:
    """Sentences for students, by what they are about. Nothing of it is private."""
    rules, titled = assignment.rules, assignment.measures.title
    limits = metric_limits(assignment, plugins)
    parts = {
        "hand in": _hand_in(rules),
        "input": _input(rules),
        "limits": [f"{titled(name)}: at most {most:,.6g}" for name, most in limits.items()],
        "baselines": _baselines(rules),
        "checked": [", ".join(assignment.options)],
        "points": _points(rules, {name: titled(name) for name in assignment.measures.metrics}),
        "deadline": _deadline(rules),
        "attempts": _attempts(rules),
        "time and memory": _resources(rules),
    }
    return {about: found for about, each in parts.items() if (found := tuple(each))}


def _hand_in(rules: AssignmentFile) -> Iterator[str]:
    wanted = rules.submission
    names = " or ".join(wanted.entry_points)
    yield f"a .py or .ipynb with {names}: the class of the network, or a function that makes it"
    if wanted.model_arguments:
        yield f"it is called with {', '.join(f'{name}={value!r}' for name, value in wanted.model_arguments.items())}"
    yield "its trained weights, as torch.save(model.state_dict(), 'weights.pt') writes them"
    yield f"a distillation loss, where one is checked: {' or '.join(wanted.kd_functions)}"
    if wanted.readable_files:
        yield f"settings that the code reads, in files called {', '.join(wanted.readable_files)}; it sees no others"
    if wanted.predictions:
        yield "or only a table of predicted classes"
    if wanted.unverified == "refuse":
        yield "forward has to be plain tensor operators, without decisions that depend on values: others are refused"


def _input(rules: AssignmentFile) -> Iterator[str]:
    images, (first, *others) = rules.images, rules.submission.input_sizes
    yield f"float32 [N, {images.channels}, {first}, {first}], logits [N, {images.classes}]"
    if others:
        yield f"also {', '.join(f'{size}x{size}' for size in others)}, with input_size in submission.toml"
    cut = f" after resizing to {images.crop_from}" if images.crop_from else ""
    yield f"pixels: (value / {_PIXELS} - mean) / std with mean {_list(images.mean)} and std {_list(images.std)}"
    yield f"resized by: {images.resize}{cut}"
    if rules.data["test"].stand_in:
        yield "the images that come with it are a stand-in: --data test=FOLDER names the real ones"


def _baselines(rules: AssignmentFile) -> Iterator[str]:
    """Those that points do not tell of."""
    told = {line.baseline for line in rules.rubric.points}
    return (f"{name}: accuracy {_percent(level)}" for name, level in rules.baselines.items() if name not in told)


def _points(rules: AssignmentFile, titles: Mapping[str, str]) -> Iterator[str]:
    rubric = rules.rubric
    for gate in rubric.gates:
        yield f"0 in all unless {gate} passes"
    for line in rubric.points:
        yield f"{line.points:g} {line.name}: {_condition(line, rules, titles)}"
    for rank in rubric.rank:
        places = f"the first {rank.top}" if rank.top else "from first to last"
        yield f"up to {rank.points:g} {rank.name}: by rank in {titles.get(rank.metric, rank.metric)}, {places}"
    for manual in rubric.manual:
        yield f"up to {manual.points:g} {manual.name}: given by a person"
    whole = sum(rubric.possible.values())
    if whole:
        capped = "" if rubric.cap is None else f", never more than {rubric.cap:g}"
        yield f"{whole:g} together{capped}"


def _condition(line: PointRule, rules: AssignmentFile, titles: Mapping[str, str]) -> str:
    if line.check is not None:
        return f"{line.check} passes"
    metric = line.metric or ACCURACY
    title = titles.get(metric, metric)
    if line.baseline is not None:
        return f"{title} at least {_percent(rules.baselines[line.baseline])}"
    bound, level = ("at least", line.at_least) if line.at_least is not None else ("at most", line.at_most)
    return f"{title} {bound} {level:,.6g}"


def _deadline(rules: AssignmentFile) -> Iterator[str]:
    late = rules.rubric.late
    if late is None:
        return
    if late.due_at is not None:
        yield moment_text(late.due_at, rules.zone)
    yield _cost(late)


def _cost(late: LatePolicy) -> str:
    if not late.percent_per_day:
        return "being late costs nothing"
    grace = f"after {late.grace_minutes:g} minutes " if late.grace_minutes else ""
    most = f", at most {late.most_percent:g} %" if late.most_percent < 100 else ""
    return f"late: {grace}{late.percent_per_day:g} % of the score for each day that has begun{most}"


def _attempts(rules: AssignmentFile) -> Iterator[str]:
    yield f"hand in as often as you like: the {rules.board.attempts} attempt counts"
    if rules.submission.attempts_per_day is not None:
        yield f"at most {rules.submission.attempts_per_day} a day are graded"


def _resources(rules: AssignmentFile) -> Iterator[str]:
    limits = rules.limits
    yield (
        f"{limits.import_seconds:g} s to import, {limits.build_seconds:g} s to build, {limits.forward_seconds:g} s for "
        f"all images, {limits.memory_bytes / 2**30:.3g} GiB, files of {limits.submission_bytes / 2**20:.4g} MiB in all"
    )


def _percent(level: float) -> str:
    return f"{100 * level:.6g} %"


def _list(numbers: tuple[float, ...]) -> str:
    same = len(set(numbers)) == 1
    return f"{numbers[0]:g}" if same else f"({', '.join(f'{each:g}' for each in numbers)})"
