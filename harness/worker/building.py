"""Have the student's code make its network, and find that in what was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from torch import nn

from harness.errors import SubmissionError
from harness.worker.model import Model, is_quantised

if TYPE_CHECKING:
    from harness.worker.sources.definitions import Located


def build(entry: Located, arguments: Mapping[str, Any], input_shape: tuple[int, ...]) -> Model:
    """Call the entry point and try the module on an empty image.

    Args:
        input_shape: [channels, height, width].

    Raises:
        SubmissionError: it needs other arguments, or does not return an `nn.Module`.
    """
    made = entry.object if isinstance(entry.object, nn.Module) else _called(entry, arguments)
    module, note = _network_in(made, entry)
    if module is None:
        raise SubmissionError(
            "rejected",
            f"{entry.name} ({entry.file} line {entry.line}) returned {type(made).__name__}, not a torch.nn.Module",
            f"{entry.name}() must return the network",
        )
    refuse_quantised(module, entry.name, f"{entry.file} line {entry.line}")
    model = Model(module, input_shape)
    model.notes |= note
    return model


def _network_in(made: Any, entry: Located) -> tuple[nn.Module | None, set[str]]:
    """The network that was made, alone or with its optimizer and loss in one tuple, and a note on that.

    Raises:
        SubmissionError: there are several.
    """
    if isinstance(made, nn.Module):
        return made, set()
    inside = list(made.values()) if isinstance(made, dict) else list(made) if isinstance(made, tuple | list) else []
    modules = list({id(each): each for each in inside if isinstance(each, nn.Module)}.values())
    found = [each for each in modules if nn.Module.state_dict(each)] or modules
    if not found:
        return None, set()
    names = " and ".join(type(each).__name__ for each in found[:5])
    kind = type(made).__name__
    if len(found) > 1:
        raise SubmissionError(
            "rejected",
            f"{entry.name} ({entry.file} line {entry.line}) returned a {kind} with {len(found)} networks: {names}",
            f"{entry.name}() must return the student alone",
        )
    return found[0], {f"{entry.name} returned a {kind}; the {names} in it was taken"}


def refuse_quantised(module: nn.Module, name: str, place: str) -> None:
    """Quantised modules keep their weights packed: not tensors that a grader can count, or put in.

    Args:
        name: of what makes the network, or of its file.
        place: where that is.

    Raises:
        SubmissionError: there is one.
    """
    for path, each in _named_modules(module):
        if is_quantised(each) and _packs(each):
            where = f"{path!r} of {name}" if path else name
            raise SubmissionError(
                "rejected",
                f"the network is quantised: {where} ({place}) is a "
                f"{type(each).__module__}.{type(each).__qualname__}, whose weights are packed and cannot be counted",
                f"let {name} return the network before quantize_dynamic or convert, and hand in that network's "
                "torch.save(model.state_dict(), …)",
            )


def _packs(module: nn.Module) -> bool:
    """Whether it keeps weights so; FloatFunctional, which stands in networks before they are converted, keeps none."""
    kept = (*vars(module), *module._modules)  # noqa: SLF001
    return any("_packed" in name or name == "_all_weight_values" for name in kept)


def _called(entry: Located, arguments: Mapping[str, Any]) -> Any:
    if not callable(entry.object):
        raise SubmissionError("rejected", f"{entry.name} ({entry.file} line {entry.line}) is not a class or function")
    try:
        return entry.object(**arguments)
    except TypeError as error:
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise  # raised inside the student's code, not by the call itself
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise SubmissionError(
            "rejected",
            f"{entry.name}({given}) cannot be called: {error}",
            "give every parameter a default, or write the values into submission.toml: model_arguments = { … }",
        ) from error


def _named_modules(module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Each once, with its dotted path."""
    found: set[int] = set()
    waiting = [("", module)]
    while waiting:
        path, each = waiting.pop(0)
        if id(each) not in found:
            found.add(id(each))
            yield path, each
            waiting += [
                (f"{path}.{name}" if path else name, child)
                for name, child in each._modules.items()  # noqa: SLF001
                if child is not None
            ]
