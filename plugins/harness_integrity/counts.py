"""Examine the weights file before the network is asked much: counts, storages, running statistics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from harness_sizes import parameter_limit as harness_parameter_limit

from harness.api import Beside, Check, Student
from harness.api.weights import stored_tensors
from harness_integrity.probes import Reference, Sample

if TYPE_CHECKING:
    from torch import Tensor

_SPARE_SHARE = 0.01
_SPARE_ELEMENTS = 64
"""Storage beyond the tensors up to these is not worth a line: profilers and counters leave a few numbers."""
_INDEX_BITS, _FEW_INTEGERS = 16, 64
"""Tables of more than a few whole numbers are indices, which need no more bits than this, or weights of 8 bits."""
_MAX_STATISTICS_SHARE = 0.5
"""Running statistics per stored parameter. BatchNorm after each depthwise layer of nine weights gives a fifth."""
_NOT_AFFINE = 0.1
"""Gap from the answer between two images to the mean of their answers, relative to half their distance."""


def counts_check(student: Student) -> Check:
    """The count by torchinfo, the grader's own, and the memory behind the tensors."""
    name = "integrity_counts"
    counts = harness_parameter_limit.count(student)
    findings = [*padding(student), *_wide_integers(student)]
    if counts.torchinfo is None and not findings:
        return Check.could_not_check(name, f"the grader counts {counts.stored:,}; {'; '.join(counts.suspicious)}")
    findings = [*_disagreement(counts), *findings]
    if findings:
        return Check.failed(
            name,
            f"{' '.join(findings)} Numbers that no count sees may hold weights, but such files are also made by "
            "accident: this does not say that the network uses them.",
            "ask for ordinary modules with nn.Parameter weights and for torch.save(model.state_dict()) of clones",
        )
    explained = f"; {'; '.join(counts.benign)}" if counts.benign else ""
    told = "nothing" if counts.torchinfo is None else f"{counts.torchinfo:,}"
    return Check.passed(name, f"torchinfo counts {told}, the grader {counts.stored:,}{explained}")


def _disagreement(counts: harness_parameter_limit.Counts) -> Iterator[str]:
    if counts.suspicious and counts.torchinfo is not None:
        yield (
            f"torchinfo counts {counts.torchinfo:,} parameters in the running network, the grader {counts.stored:,} "
            f"in the file: {'; '.join(counts.suspicious)}."
        )


def padding(student: Student) -> Iterator[str]:
    """Storages larger than the tensors that are views of them."""
    doubled = {name for group in student.facts.aliases for name in group[1:]}
    seen = sum(each.numel() for name, each in student.decoded.items() if name not in doubled)
    spare = student.facts.storage_elements - seen
    if spare > max(_SPARE_ELEMENTS, _SPARE_SHARE * seen):
        yield (
            f"The tensors of the file are views of storages with {student.facts.storage_elements:,} numbers, "
            f"{spare:,} more than the tensors show: a part of something larger was saved, or something lies beside it."
        )


def _wide_integers(student: Student) -> Iterator[str]:
    """Tables of whole numbers with room for several weights in each: no index or step of a network is that large."""
    import torch

    for name, each in student.decoded.items():
        if each.is_floating_point() or each.numel() < 2:
            continue
        low, high = map(int, each.to(torch.int64).aminmax())
        bits = max(-low, high).bit_length()
        if bits > 32 or (bits > _INDEX_BITS and each.numel() > _FEW_INTEGERS):
            yield (
                f"{_short(name)} holds {each.numel():,} whole numbers of up to {bits} bits, each counted as one "
                "parameter but with room for several."
            )


def source_check(beside: Beside) -> Check:
    """Whether code that runs on every image has anything to know but the counted weights."""
    name = "integrity_source"
    longest = f", the longest of {beside.longest_literal[:120]}" if beside.longest_literal else ""
    holds = f"{beside.literal_bytes:,} bytes of numbers and texts (compressed{longest})"
    if beside.compiled:
        holds += f", came with compiled modules that it does not see ({', '.join(map(_short, beside.compiled))})"
    if beside.because is not None and beside.hidden_bytes > harness_parameter_limit.MAX_LITERAL_BYTES:
        return Check.could_not_check(
            name,
            f"Its code holds {holds}, and does not do with that and the weights alone ({beside.because}): it reads "
            f"other files, comments or outputs of a notebook, {beside.hidden_bytes:,} bytes (compressed), most of them "
            f"in {', '.join(map(_short, beside.files))}. A configuration is read like that, and so are weights.",
            "look at what it reads",
        )
    if beside.literal_bytes > harness_parameter_limit.MAX_LITERAL_BYTES:
        return Check.could_not_check(
            name,
            f"Its code holds {holds}. Training code and texts for readers are counted with the rest; so would be "
            "weights that are written there.",
            "look at the longest literals",
        )
    return Check.passed(name, f"it does with its code, which holds {holds}, and with the counted weights")


def statistics_check(student: Student) -> Check:
    """Whether the uncounted running statistics can be statistics."""
    name = "integrity_statistics"
    counted = stored_tensors(student.decoded, ())
    masks = {f"{each}_mask" for each in student.masks}
    statistics = {
        each: tensor
        for each, tensor in student.decoded.items()
        if each not in counted and each not in masks and tensor.numel() > 1
    }
    findings = list(_implausible(statistics, counted))
    if findings:
        return Check.failed(
            name,
            f"{' '.join(findings)} Running statistics are not counted as parameters, so weights stored under their "
            "names would be free. This does not show that the network uses them so: unusual layers, or statistics "
            "changed by hand, look the same.",
            "look at what forward does with running_mean and running_var",
        )
    total = sum(each.numel() for each in statistics.values())
    return Check.passed(name, f"{total:,} running statistics, no more than the layers have outputs")


def _implausible(statistics: dict[str, Tensor], counted: dict[str, Tensor]) -> Iterator[str]:
    negative = [name for name, each in statistics.items() if name.endswith("running_var") and bool((each < 0).any())]
    if negative:
        yield f"{_short(negative[0])} holds negative variances."
    layers = [each for each in counted.values() if each.dim() > 1]
    widths = {size for each in layers for size in each.shape[:2]}
    # Concatenated outputs (DenseNet) are normalised together, and images may be before the first layer.
    widest = sum(max(each.shape[:2]) for each in layers) + max((3, *(each.shape[1] for each in layers)))
    for name, each in statistics.items():
        if each.numel() not in widths and each.numel() > widest:
            yield f"{_short(name)} has {each.numel():,} elements, more than all layers of the network have outputs."
            break
    total = sum(each.numel() for each in statistics.values())
    parameters = sum(each.numel() for each in counted.values())
    if total > _MAX_STATISTICS_SHARE * parameters:
        yield f"There are {total:,} running statistics for {parameters:,} parameters."


def weights_used_check(student: Student, sample: Sample, reference: Reference) -> Check:
    """Whether a file with one linear layer belongs to a network that answers like one."""
    name = "integrity_weights_used"
    layers = {each: tensor for each, tensor in stored_tensors(student.decoded, ()).items() if tensor.dim() > 1}
    classes = reference.logits.shape[1]
    if len(layers) != 1:
        return Check.passed(name, f"{len(layers)} layers are stored")
    (only, tensor), *_ = layers.items()
    if tensor.numel() != tensor.shape[0] * tensor.shape[1] or tensor.shape[0] != classes:
        return Check.passed(name, "one layer is stored, and it is not a linear one")
    inputs = tensor.shape[1]
    if inputs in _pooled_sizes(sample.images.pixels.shape[-1]):
        return Check.passed(name, f"one linear layer is stored, and its {inputs:,} inputs fit the image")
    gap = _bend(student, sample, reference)
    if gap > _NOT_AFFINE and not reference.guesses:
        return Check.failed(
            name,
            f"The file holds one linear layer, {_short(only)} of {inputs:,} inputs, but the network is far from linear "
            f"in the pixels: halfway between two images its answer is {100 * gap:.0f} % off the mean of their answers, "
            f"and the image does not have {inputs:,} pixels. What makes those {inputs:,} features is stored nowhere: "
            "fixed random numbers, or weights in the code. Pooling and hand-made filters do this too: no proof.",
            "look at what comes before the stored layer, and at seeds",
        )
    return Check.passed(name, "one linear layer is stored, and the network answers like one")


def _bend(student: Student, sample: Sample, reference: Reference) -> float:
    """Median distance from the answer at a midpoint to the mean of both answers, relative to half their distance."""
    import torch

    pairs = len(sample) // 16
    pixels = sample.images.pixels[: 2 * pairs].to(torch.int16)
    middle = ((pixels[:pairs] + pixels[pairs:] + 1) // 2).to(torch.uint8)
    logits = student.logits(replace(sample.images, pixels=middle))
    one, other = reference.logits[:pairs], reference.logits[pairs : 2 * pairs]
    finite = torch.stack([each.isfinite().all(dim=1) for each in (logits, one, other)]).all(dim=0)
    logits, one, other = logits[finite], one[finite], other[finite]
    gaps = (logits - (one + other) / 2).norm(dim=1) / ((one - other).norm(dim=1) / 2 + 1e-9)
    return float(gaps.median()) if len(gaps) else 0.0


def _short(name: str) -> str:
    """A tensor's name in quotes: a student may choose any, of any length."""
    return repr(name if len(name) <= 60 else f"{name[:59]}…")


def _pooled_sizes(side: int) -> set[int]:
    """Numbers of values an image has after pooling by a divisor of its side, grey or in colour."""
    return {channels * (side // by) ** 2 for by in range(1, side + 1) if side % by == 0 for channels in (1, 3)}
