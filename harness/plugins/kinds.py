"""Name the kinds of plugin: their hooks, what an object of each must have, and how to do without one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that plugins contribute.

    Attributes:
        words: what people call it.
        members: what an object must have beside its `.name`.
        without: how to do without the one called {name}.
    """

    hook: str
    words: str
    members: tuple[str, ...]
    without: str

    @property
    def plural(self) -> str:
        """By which name `Plugins` has all of them: `writers`."""
        return self.hook.removeprefix("harness_")


EVALUATOR = Kind(
    "harness_evaluators",
    "evaluator",
    ("Options", "metrics", "checks", "evaluate"),
    "leave [evaluators.{name}] out of the assignment",
)
CLASS_EVALUATOR = Kind(
    "harness_class_evaluators",
    "class evaluator",
    ("Options", "evaluate_class"),
    "leave [class_evaluators.{name}] out of the assignment",
)
WEIGHT_FORMAT = Kind(
    "harness_weight_formats", "weights format", ("recognises", "decode"), "--disable-plugin leaves its plugin out"
)
DATASET = Kind("harness_datasets", "data set", ("load",), "let the assignment name another 'dataset'")
WRITER = Kind("harness_writers", "writer", ("render",), "choose another --format")
EXPORTER = Kind("harness_exporters", "exporter", ("export",), "choose another --to")
EXECUTOR = Kind("harness_executors", "executor", ("crew",), "choose another --executor, such as local")

KINDS = (EVALUATOR, CLASS_EVALUATOR, WEIGHT_FORMAT, DATASET, WRITER, EXPORTER, EXECUTOR)
