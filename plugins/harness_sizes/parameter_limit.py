"""Count a network's parameters, by the count the assignment judges, and whether the counts agree.

Courses differ, so there are three: what torchinfo reports (`total_params`), what is stored in the file, and what of
that is not zero. torchinfo looks at a live module beside student code and can be wrong for honest reasons (tied weights
count twice, torchinfo issues 322 and 377; masked weights do not count) and for others; the stored count is the
grader's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from harness.api import (
    Beside,
    Check,
    CheckSpec,
    Context,
    Evaluation,
    Evaluator,
    MetricSpec,
    Options,
    PositiveInt,
    Reads,
    Requirements,
    Student,
    TracedNetwork,
    Value,
    hookimpl,
)
from harness.api.graphs import GraphCounts
from harness.api.graphs import counts as graph_counts
from harness.api.weights import nonzero_elements, stored_elements, stored_tensors
from harness_sizes.statistics import FEW, many_in_file, strays

PARAMETERS = MetricSpec("parameters", unit="parameters", higher_is_better=False, about="weights", on_board="always")
KINDS = tuple(
    MetricSpec(
        f"parameters_{kind}", unit="parameters", higher_is_better=False, about="weights", title=f"parameters ({said})"
    )
    for kind, said in {"torchinfo": "torchinfo", "stored": "stored", "nonzero": "not zero"}.items()
)
MAX_LITERAL_BYTES = 8192
"""Literals in the source, compressed, that are too few to be a network's weights."""
_FEWEST_BITS = 4
"""That a weight takes, where nobody can see how it is written."""
LIMIT = CheckSpec("parameter_limit", about="weights")


class LimitOptions(Options):
    """`[evaluators.parameter_limit]`."""

    limit: PositiveInt | None = None
    """Largest allowed number of parameters; absent: counted but not limited."""
    count: Literal["torchinfo", "stored", "nonzero"] = "torchinfo"
    """The count that is judged."""


class Counts(Value):
    """The three counts and what is known about their difference."""

    torchinfo: int | None
    """As torchinfo reports it."""
    corrected: int | None
    """What torchinfo would report without its known errors; what is judged where a course goes by torchinfo."""
    stored: int
    nonzero: int
    benign: tuple[str, ...] = ()
    """Causes that fully explain why torchinfo and stored differ; empty when they agree or nothing explains it."""
    suspicious: tuple[str, ...] = ()
    """What else may explain the difference, or that nothing does."""
    doubt: str | None = None
    """Why what was not counted may have been learned all the same."""
    made: int = 0
    """Numbers that do not count, and may have been learned if there is a doubt."""
    statistics: int = 0
    """Running statistics of a verified network."""
    strays: int = 0
    """Of these, such as are far from what the images give."""
    largest: tuple[str, ...] = ()
    """The largest tensors, with shapes and sizes."""
    unregistered: bool = False
    """Whether learned numbers lie where torchinfo does not look, in buffers and constants."""

    @property
    def trustworthy(self) -> bool:
        return not self.suspicious


class ParameterLimit:
    """Counts the network's parameters, and holds them against a limit, if there is one.

    `parameters` is the judged count; all three stand beside it.
    """

    name = LIMIT.name
    Options = LimitOptions
    metrics = (PARAMETERS, *KINDS)
    checks = (LIMIT,)
    reads: frozenset[Reads] = frozenset({"network", "hand_in", "images"})
    judged_by = frozenset({"limit"})

    def limits(self, options: LimitOptions) -> Mapping[str, float]:
        return {} if options.limit is None else {PARAMETERS.name: options.limit}

    def evaluate(self, student: Student, context: Context[LimitOptions]) -> Evaluation:
        counts = count(student)
        if student.traced is not None and counts.statistics > FEW:
            far = strays(student, student.traced, context.examples.images)
            counts = counts.model_copy(update={"strays": far})
        judged = _judged(counts, context.options.count)
        kinds = (counts.torchinfo, counts.stored, counts.nonzero)
        counted = zip(self.metrics, (judged, *kinds), strict=True)
        metrics = {spec.name: spec.of(value) for spec, value in counted if value is not None}
        return Evaluation(metrics=metrics, evidence=counts.model_dump(mode="json"))

    def judge(self, found: Evaluation, required: Requirements[LimitOptions]) -> tuple[Check, ...]:
        limit, which = required.options.limit, required.options.count
        if limit is None:
            return ()
        counts = _with_strays_doubted(Counts.model_validate(found.evidence))
        return (_check(counts, _judged(counts, which), limit, which),)


def count(student: Student) -> Counts:
    """Count three ways and look for what explains a difference."""
    counts = _by_file(student) if student.traced is None else _by_graph(student, student.traced)
    return counts.model_copy(update={"largest": _largest(student)})


def _by_graph(student: Student, traced: TracedNetwork) -> Counts:
    """What a verified network holds; torchinfo's figure is a remark beside it."""
    found = graph_counts(traced, student.weights, student.masks)
    reported, corrected = student.facts.torchinfo, found.registered - found.masked
    hidden, made = sum(found.hidden.values()), sum(found.constructed.values())
    benign = _errors_of_torchinfo(student, found, corrected)
    literals = traced.literal_bytes
    doubt = (
        f"{made:,} more numbers come from the source alone, which holds {literals:,} bytes of literals"
        if made and literals > MAX_LITERAL_BYTES
        else None
    )
    suspicious: tuple[str, ...] = ()
    if hidden:
        where = f"{hidden:,} learned numbers lie in buffers and constants"
        suspicious = (f"{where}, which torchinfo does not see ({_named(found.hidden)})",)
    return Counts(
        torchinfo=reported,
        corrected=corrected,
        stored=found.stored,
        nonzero=found.nonzero,
        benign=benign,
        suspicious=suspicious,
        doubt=doubt,
        made=made,
        statistics=found.statistics,
        unregistered=bool(hidden),
    )


def _with_strays_doubted(counts: Counts) -> Counts:
    """With a doubt where many running statistics are far from what the images give, unless there is another."""
    if counts.doubt is not None or counts.strays <= FEW:
        return counts
    doubt = f"{counts.strays:,} more are called running statistics and are far from those of the images"
    return counts.model_copy(update={"doubt": doubt, "made": counts.strays})


def _errors_of_torchinfo(student: Student, found: GraphCounts, corrected: int) -> tuple[str, ...]:
    """Why its figure differs from what it should be."""
    facts, causes = student.facts, []
    if found.masked:
        causes.append(f"weights under a live pruning mask are not counted by torchinfo ({found.masked:,})")
    if facts.torchinfo is None:
        causes.append(f"torchinfo could not describe the network ({facts.torchinfo_error})")
    elif facts.torchinfo > corrected:
        causes.append("torchinfo counts tied weights and modules that are used several times more than once")
    elif facts.torchinfo < corrected:
        causes.append("torchinfo does not see every parameter of the modules")
    return tuple(causes)


def _named(tensors: Mapping[str, int]) -> str:
    return ", ".join(sorted(tensors, key=lambda name: -tensors[name])[:3])


def _by_file(student: Student) -> Counts:
    """What the file holds, where student code computes with it; combinations of causes included."""
    facts = student.facts
    stored = stored_elements(student.decoded, facts.aliases)
    nonzero = nonzero_elements(student.decoded, facts.aliases)
    told = facts.torchinfo
    doubt, made = _doubt_beside(facts.beside)
    if doubt is None and (made := many_in_file(student)):
        doubt = f"{made:,} more are called running statistics, which is more than normalising takes"
    counts = Counts(torchinfo=told, corrected=told, stored=stored, nonzero=nonzero, doubt=doubt, made=made)
    if told is None:
        reason = f"torchinfo could not describe the network ({facts.torchinfo_error})"
        return counts.model_copy(update={"suspicious": (reason,)})
    if told == stored:
        return counts
    if benign := _benign_causes(student, told - stored):
        return counts.model_copy(update={"benign": benign})
    suspicious, unregistered = _suspicious_causes(student, told, stored)
    return counts.model_copy(update={"suspicious": suspicious, "unregistered": unregistered})


def _doubt_beside(beside: Beside | None) -> tuple[str | None, int]:
    """What code that runs on every image may know beside its weights, and how many numbers of few bits that may be."""
    held = 0 if beside is None else beside.literal_bytes + beside.hidden_bytes
    if beside is None or held <= MAX_LITERAL_BYTES:
        return None, 0
    files = f" and reads other files of {beside.hidden_bytes:,} bytes" if beside.hidden_bytes else ""
    return (
        f"its code runs on every image, holds {beside.literal_bytes:,} bytes of literals{files} (compressed), and "
        "nobody can count what it knows of those"
    ), held * 8 // _FEWEST_BITS


def _benign_causes(student: Student, difference: int) -> tuple[str, ...]:
    """The honest causes whose sizes, taken together or alone, add up to `difference`; of tied weights any part may."""
    tied = _tied_elements(student)
    masked = sum(int((mask == 0).sum()) for mask in student.masks.values())
    causes = [
        (tied, f"tied weights are counted twice by torchinfo ({tied:,})"),
        (-masked, f"weights under a live pruning mask are not counted by torchinfo ({masked:,})"),
    ]
    present = [(size, text) for size, text in causes if size]
    for chosen in ([present] if len(present) > 1 else []) + [[each] for each in present]:
        if sum(size for size, _ in chosen) == difference:
            return tuple(text for _, text in chosen)
    return (causes[0][1],) if 0 < difference < tied else ()


def _tied_elements(student: Student) -> int:
    every = stored_elements(student.decoded, ())
    return every - stored_elements(student.decoded, student.facts.aliases)


def _suspicious_causes(student: Student, reported: int, stored: int) -> tuple[tuple[str, ...], bool]:
    """What may explain the difference, and whether it is that numbers are registered as buffers."""
    facts = student.facts
    counted = stored_tensors(student.decoded, facts.aliases)
    buffers = {name: each.numel() for name, each in counted.items() if name not in facts.parameters}
    causes = []
    explained = bool(buffers) and stored - reported == sum(buffers.values())
    if explained:
        listed = ", ".join(list(buffers)[:3])
        causes.append(f"{sum(buffers.values()):,} numbers lie in buffers, which torchinfo does not see ({listed})")
    if facts.scripted_or_quantised:
        causes.append("scripted or quantised modules, whose weights torchinfo counts as 0 or twice")
    return tuple(causes) or (f"nothing known explains the difference of {abs(stored - reported):,}",), explained


def _judged(counts: Counts, which: str) -> int:
    match which:
        case "nonzero":
            return counts.nonzero
        case "torchinfo" if counts.corrected is not None:
            # Unexplained, torchinfo's figure may only make things worse.
            return counts.corrected if counts.trustworthy else max(counts.corrected, counts.stored)
        case _:
            return counts.stored


def _check(counts: Counts, judged: int, limit: int, which: str) -> Check:
    name = LIMIT.name
    explained = _explanation(counts)
    if which == "torchinfo" and _disputed(counts, limit):
        return Check.could_not_check(
            name,
            f"{counts.corrected:,} by the judged count and {counts.stored:,} stored, on both sides of the limit of "
            f"{limit:,}{explained}",
            "a person has to look" + (": register every weight as an nn.Parameter" if counts.unregistered else ""),
        )
    if counts.doubt is not None and judged <= limit < judged + counts.made:
        return Check.could_not_check(
            name,
            f"{judged:,} parameters were learned for sure, of at most {limit:,}; {counts.doubt}",
            "a person has to look",
        )
    if judged > limit:
        reason = f"{judged:,} parameters, over the limit of {limit:,}{explained}"
        return Check.failed(name, reason, _where(counts, judged - limit))
    return Check.passed(name, f"{judged:,} of at most {limit:,} parameters{explained}")


def _disputed(counts: Counts, limit: int) -> bool:
    """Whether torchinfo and what is stored disagree about the limit for no honest reason."""
    told = counts.corrected
    return told is not None and not counts.trustworthy and (told > limit) != (counts.stored > limit)


def _explanation(counts: Counts) -> str:
    if counts.torchinfo == counts.stored:
        return ""
    told = "nothing" if counts.torchinfo is None else f"{counts.torchinfo:,}"
    causes = "; ".join(counts.benign + counts.suspicious)
    return f" (torchinfo reports {told}, stored are {counts.stored:,}: {causes})"


def _largest(student: Student) -> tuple[str, ...]:
    """Where the parameters are."""
    biggest = sorted(student.decoded.items(), key=lambda item: -item[1].numel())[:3]
    return tuple(f"{name} {list(each.shape)} {each.numel():,}" for name, each in biggest)


def _where(counts: Counts, excess: int) -> str:
    """The first place to shrink."""
    return f"{excess:,} too many; the largest tensors are {', '.join(counts.largest)}"


@hookimpl
def harness_evaluators() -> Iterable[Evaluator[LimitOptions]]:
    return [ParameterLimit()]
