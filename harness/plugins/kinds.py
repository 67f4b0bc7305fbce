"""Name the kinds of plugin: their hooks, what an object of each must have, and how to do without one."""

from __future__ import annotations

from dataclasses import dataclass

from harness.contracts.evaluator import ClassEvaluator, Evaluator, Judges, JudgesPredictions, StatesLimits
from harness.contracts.executors import Executor
from harness.contracts.formats import CopiesPart, Dataset, WeightFormat
from harness.contracts.publishing import Exporter, Matching, Packs, SiteWriter, Writer


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that plugins contribute.

    Attributes:
        words: what people call it.
        members: what an object must have beside its `.name`.
        without: how to do without the one called {name}.
        contracts: whose methods it has; after the first, those for who wants them.
    """

    hook: str
    words: str
    members: tuple[str, ...]
    without: str
    contracts: tuple[type, ...]

    @property
    def plural(self) -> str:
        """By which name `Plugins` has all of them: `writers`."""
        return self.hook.removeprefix("harness_")


EVALUATOR = Kind(
    "harness_evaluators",
    "evaluator",
    ("Options", "metrics", "checks", "evaluate"),
    "leave [evaluators.{name}] out of the assignment",
    (Evaluator, Judges, JudgesPredictions, StatesLimits),
)
CLASS_EVALUATOR = Kind(
    "harness_class_evaluators",
    "class evaluator",
    ("Options", "evaluate_class"),
    "leave [class_evaluators.{name}] out of the assignment",
    (ClassEvaluator,),
)
WEIGHT_FORMAT = Kind(
    "harness_weight_formats",
    "weights format",
    ("recognises", "decode"),
    "--disable-plugin leaves its plugin out",
    (WeightFormat,),
)
DATASET = Kind(
    "harness_datasets", "data set", ("load",), "let the assignment name another 'dataset'", (Dataset, CopiesPart)
)
WRITER = Kind("harness_writers", "writer", ("render",), "choose another --format", (Writer, SiteWriter))
EXPORTER = Kind("harness_exporters", "exporter", ("export",), "choose another --to", (Exporter, Matching, Packs))
EXECUTOR = Kind("harness_executors", "executor", ("crew",), "choose another --executor, such as local", (Executor,))

KINDS = (EVALUATOR, CLASS_EVALUATOR, WEIGHT_FORMAT, DATASET, WRITER, EXPORTER, EXECUTOR)
