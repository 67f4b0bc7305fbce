"""Say how the names and shapes of a weights file differ from those of the model, and what the likeliest cause is."""

from __future__ import annotations

from collections.abc import Mapping

from harness.errors import SubmissionError

Shapes = Mapping[str, tuple[int, ...]]

STATISTICS = ("running_mean", "running_var")
_MAX_NAMES_SHOWN = 3


class Mismatch(SubmissionError):
    """Names or shapes of a file that are not the model's."""


def differences(shapes: Shapes, expected: Shapes) -> list[str]:
    """What does not fit, a line each: shapes, names that are missing, names that are unknown."""
    given, wanted = unpruned(shapes), unpruned(expected)
    problems = [
        f"{name}: the file has {list(given[name])}, the model {list(shape)}"
        for name, shape in wanted.items()
        if name in given and given[name] != shape and not (of_one_element(given[name]) and of_one_element(shape))
    ]
    problems += [
        f"{name} {list(shape)} is missing from the file"
        for name, shape in wanted.items()
        if name not in given and not name.endswith("num_batches_tracked")
    ]
    problems += [
        f"{name} {list(shape)} is unknown to the model"
        for name, shape in given.items()
        if name not in wanted and not name.endswith("num_batches_tracked")
    ]
    return problems


def unpruned(shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """Shapes with each pair `x_orig`, `x_mask` under the one name `x`."""
    pairs = {name[:-5] for name in shapes if name.endswith("_orig") and f"{name[:-5]}_mask" in shapes}
    plain = {}
    for name, shape in shapes.items():
        base = name[:-5] if name.endswith(("_orig", "_mask")) else name
        plain[base if base in pairs else name] = shape
    return plain


def of_one_element(shape: tuple[int, ...]) -> bool:
    """Whether it is of one element, in whatever dimensions."""
    return all(size == 1 for size in shape)


def mismatch(shapes: Shapes, expected: Shapes, problems: list[str]) -> Mismatch:
    """The refusal, with the first differences of each kind and a cause."""
    kinds = [
        [each for each in problems if each.endswith(("from the file", "to the model")) == part and marked in each]
        for part, marked in ((False, ""), (True, "from the file"), (True, "to the model"))
    ]
    shown = [each for kind in kinds for each in kind[:_MAX_NAMES_SHOWN]]
    more = f"\n  … and {len(problems) - len(shown)} more" if len(problems) > len(shown) else ""
    listed = "".join(f"\n  {each}" for each in shown)
    reason = f"the weights do not fit the model: {len(problems)} differences{listed}{more}"
    return Mismatch("rejected", reason, _cause(shapes, expected))


def _cause(shapes: Shapes, expected: Shapes) -> str:
    """The likeliest explanation: the first that holds."""
    given, wanted = unpruned(shapes), unpruned(expected)
    missing = [name for name in wanted if name not in given and not name.endswith("num_batches_tracked")]
    unknown = [name for name in given if name not in wanted and not name.endswith("num_batches_tracked")]
    causes = {
        "the file was saved from a quantised model: save the state_dict of the plain one": any(
            "_packed_params" in name or name.endswith(".zero_point") for name in given
        ),
        "same layers, other widths: the file was saved from the model with other arguments or channel numbers": (
            not missing and not unknown
        ),
        "BatchNorm statistics are missing: save model.state_dict(), not only model.parameters()": (
            not unknown and all(name.endswith(STATISTICS) for name in missing)
        ),
        "same shapes under other names: the class's attributes were renamed after training, or it is another class": (
            list(given.values()) == list(wanted.values())
        ),
        "the file holds only a part of the model: save model.state_dict() of the whole": not unknown,
        "the file holds more layers than the model: it was saved from a larger or another version": not missing,
        "most names fit: the file was saved from another version of this class": (
            2 * len(set(given) & set(wanted)) >= len(wanted)
        ),
        "another class: is this the teacher's file or an earlier model's? See entry_point in submission.toml": True,
    }
    return next(text for text, holds in causes.items() if holds)
