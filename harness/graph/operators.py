"""List the operators a graph may use: one row each. What has no row here never runs.

A row says how the operator's arguments are limited beyond its schema (`rule`), what it costs (`macs`) and what runs it
where that is not the ATen overload of its name (`runs`). All are functional and deterministic: none draws random
numbers, changes its arguments, reads memory that nothing wrote, leaves the process or has a result whose shape depends
on values. `tests/graph/test_operators.py` holds every row against what torch's own schemas and tags say.

Views are run by `reshape`: the trace saw contiguous tensors, while a replay may feed channels_last ones, which `view`
refuses. Copies are not made, since nothing is ever changed in place.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from harness.graph import formulas, rules
from harness.graph.formulas import Formula
from harness.graph.rules import Rule

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One row.

    Args:
        name: with its overload.
        group: the heading it stands under.
        macs: multiply-accumulates from arguments and result; None: none.
        rule: what is wrong with arguments.
        runs: what computes it; None: the ATen overload itself.
        creates: it makes a tensor from nothing and must be told the device.
        fresh: its result is memory of its own, neither an argument's nor a view.
        overwrites: an in-place form exists and may run where nobody else reads the argument; as fast as networks that
            ask for it (`nn.ReLU(inplace=True)`), which the trace no longer shows.
    """

    name: str
    group: str
    macs: Formula | None = None
    rule: Rule | None = None
    runs: Function | None = None
    creates: bool = False
    fresh: bool = False
    overwrites: bool = False

    def function(self) -> Function:
        """What computes it, resolved."""
        return self.runs or _overload(*self.name.split(".")[1:])

    def in_place(self) -> Function:
        """What computes it into its first argument."""
        _, packet, overload = self.name.split(".")
        return _overload(f"{packet}_", overload)


def _overload(packet: str, name: str) -> Function:
    return getattr(getattr(torch.ops.aten, packet), name)  # type: ignore[no-any-return]


def _row(group: str, name: str, **special: Any) -> Iterator[Operator]:
    yield Operator(name=name, group=group, **special)


def _rows(group: str, names: str, **special: Any) -> Iterator[Operator]:
    """Rows of ATen operators that differ in nothing but their names."""
    for name in names.split():
        yield Operator(name=f"aten.{name}", group=group, **special)


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _laid_out(tensor: Tensor, *, memory_format: torch.memory_format | None = None) -> Tensor:
    if memory_format is None or memory_format is torch.preserve_format:
        return tensor
    return tensor.contiguous(memory_format=memory_format)


def _zeros(size: Any, **keywords: Any) -> Tensor:
    """Memory that was only reserved holds whatever the grader had there before."""
    keywords.pop("memory_format", None)
    return torch.zeros(size, **keywords)


def _zeros_like(tensor: Tensor, **keywords: Any) -> Tensor:
    keywords.pop("memory_format", None)
    return torch.zeros_like(tensor, **keywords)


def _new_zeros(tensor: Tensor, size: Any, **keywords: Any) -> Tensor:
    return tensor.new_zeros(size, **keywords)


# fmt: off
def _layers() -> Iterator[Operator]:
    yield from _rows("Convolutions", "conv1d.default conv2d.default conv3d.default conv1d.padding conv2d.padding "
                     "conv3d.padding", macs=formulas.convolution, fresh=True)
    yield from _rows("Convolutions", "conv_transpose1d.default conv_transpose2d.input conv_transpose3d.input",
                     macs=formulas.transposed_convolution, fresh=True)
    yield from _rows("Convolutions", "im2col.default col2im.default")

    yield from _rows("Products", "linear.default matmul.default mm.default bmm.default mv.default dot.default "
                     "vdot.default _cdist_forward.default cdist.default", macs=formulas.product, fresh=True)
    yield from _rows("Products", "addmm.default baddbmm.default addmv.default",
                     macs=formulas.added_product, fresh=True)
    yield from _rows("Products", "bilinear.default", macs=formulas.bilinear)
    yield from _rows("Products", "scaled_dot_product_attention.default", macs=formulas.attention,
                     rule=rules.no_dropout(4))
    yield from _rows("Products", "linalg_householder_product.default", macs=formulas.householder)
    yield from _rows("Products", "linalg_vector_norm.default linalg_cross.default cosine_similarity.default "
                     "pairwise_distance.default outer.default")

    yield from _rows("Recurrent layers", "lstm.input gru.input rnn_tanh.input rnn_relu.input",
                     macs=formulas.recurrent, rule=rules.few_layers)
    yield from _rows("Recurrent layers", "lstm_cell.default gru_cell.default rnn_tanh_cell.default "
                     "rnn_relu_cell.default", macs=formulas.recurrent_cell)

    yield from _rows("Normalisation", "_native_batch_norm_legit_no_training.default layer_norm.default "
                     "native_layer_norm.default group_norm.default native_group_norm.default rms_norm.default "
                     "_weight_norm.default", fresh=True)
    yield from _rows("Normalisation", "batch_norm.default", rule=rules.not_training(5))
    yield from _rows("Normalisation", "instance_norm.default", rule=rules.running_or_own)

    yield from _rows("Activations", "relu.default relu6.default hardtanh.default leaky_relu.default elu.default "
                     "selu.default celu.default silu.default mish.default hardswish.default hardsigmoid.default",
                     overwrites=True)
    yield from _rows("Activations", "gelu.default softplus.default hardshrink.default softshrink.default "
                     "threshold.default prelu.default _prelu_kernel.default glu.default sigmoid.default tanh.default "
                     "log_sigmoid.default softmax.int _softmax.default log_softmax.int _log_softmax.default")
    yield from _rows("Activations", "rrelu.default", rule=rules.not_training(3))
    yield from _rows("Activations", "dropout.default alpha_dropout.default feature_dropout.default "
                     "feature_alpha_dropout.default", rule=rules.not_training(2))

    yield from _rows("Pooling", "max_pool1d.default max_pool2d.default max_pool3d.default avg_pool1d.default "
                     "avg_pool2d.default avg_pool3d.default max_pool2d_with_indices.default "
                     "max_pool3d_with_indices.default max_pool1d_with_indices.default adaptive_avg_pool1d.default "
                     "adaptive_avg_pool2d.default adaptive_avg_pool3d.default _adaptive_avg_pool2d.default "
                     "_adaptive_avg_pool3d.default adaptive_max_pool1d.default adaptive_max_pool2d.default "
                     "adaptive_max_pool3d.default")


def _shapes() -> Iterator[Operator]:
    yield from _rows("Padding and resizing", "pad.default constant_pad_nd.default reflection_pad1d.default "
                     "reflection_pad2d.default reflection_pad3d.default replication_pad1d.default "
                     "replication_pad2d.default replication_pad3d.default pixel_shuffle.default "
                     "pixel_unshuffle.default channel_shuffle.default native_channel_shuffle.default "
                     "upsample_nearest1d.vec upsample_nearest2d.vec upsample_nearest3d.vec "
                     "_upsample_nearest_exact1d.vec _upsample_nearest_exact2d.vec upsample_linear1d.vec "
                     "upsample_bilinear2d.vec upsample_trilinear3d.vec upsample_bicubic2d.vec "
                     "_upsample_bilinear2d_aa.vec _upsample_bicubic2d_aa.vec affine_grid_generator.default")
    yield from _rows("Padding and resizing", "grid_sampler.default", rule=rules.known_modes)

    yield from _rows("Views", "view.default _unsafe_view.default reshape.default _reshape_alias.default",
                     runs=torch.ops.aten.reshape.default)
    yield from _rows("Views", "clone.default", runs=_laid_out)
    yield from _rows("Views", "contiguous.default", runs=_laid_out)
    yield from _rows("Views", "alias.default detach.default lift_fresh_copy.default lift_fresh.default", runs=_same)
    yield from _rows("Views", "permute.default transpose.int t.default movedim.intlist movedim.int swapaxes.default "
                     "squeeze.default squeeze.dim squeeze.dims unsqueeze.default flatten.using_ints unflatten.int "
                     "expand.default expand_as.default expand_copy.default select.int slice.Tensor narrow.default "
                     "diagonal.default view.dtype view_as.default adjoint.default numpy_T.default mT.default "
                     "unfold.default broadcast_to.default broadcast_tensors.default atleast_2d.default")

    yield from _rows("Joining and parting", "cat.default concat.default concatenate.default stack.default "
                     "hstack.default vstack.default split_with_sizes.default split.sizes tensor_split.indices "
                     "split_with_sizes_copy.default")
    yield from _rows("Joining and parting", "split.Tensor split_copy.Tensor unsafe_split.Tensor",
                     rule=rules.few_parts)
    yield from _rows("Joining and parting", "chunk.default tensor_split.sections unsafe_chunk.default",
                     rule=rules.few_chunks)
    yield from _rows("Joining and parting", "unbind.int unbind_copy.int", rule=rules.few_slices)


def _elements() -> Iterator[Operator]:
    yield from _rows("Choosing and moving", "index_select.default gather.default embedding.default "
                     "take.default take_along_dim.default where.self where.ScalarSelf where.ScalarOther "
                     "where.Scalar masked_fill.Scalar masked_fill.Tensor roll.default flip.default rot90.default "
                     "repeat.default repeat_interleave.self_int tile.default tril.default triu.default "
                     "select_scatter.default slice_scatter.default diagonal_scatter.default index_put.default "
                     "index_add.default index_copy.default index_fill.int_Scalar scatter.src scatter.value "
                     "scatter_add.default diag_embed.default diag.default copy.default fill.Scalar "
                     "fill.Tensor zero.default meshgrid.indexing meshgrid.default cartesian_prod.default kron.default")

    yield from _rows("Choosing and moving", "index.Tensor", rule=rules.no_mask)
    yield from _rows("Choosing and moving", "one_hot.default", rule=rules.known_classes)

    yield from _rows("Making", "zeros.default ones.default full.default arange.default arange.start "
                     "arange.start_step linspace.default eye.default eye.m scalar_tensor.default tril_indices.default "
                     "triu_indices.default", creates=True)
    yield from _rows("Making", "empty.memory_format", creates=True, runs=_zeros)
    yield from _rows("Making", "zeros_like.default ones_like.default full_like.default new_zeros.default "
                     "new_ones.default new_full.default")
    yield from _rows("Making", "empty_like.default", runs=_zeros_like)
    yield from _rows("Making", "new_empty.default", runs=_new_zeros)


def _numbers() -> Iterator[Operator]:
    yield from _rows("Arithmetic", "add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Tensor rsub.Scalar mul.Tensor "
                     "mul.Scalar true_divide.Tensor pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar addcmul.default "
                     "addcdiv.default lerp.Scalar lerp.Tensor neg.default abs.default sign.default sgn.default "
                     "square.default sqrt.default rsqrt.default reciprocal.default exp.default exp2.default "
                     "expm1.default log.default log2.default log10.default log1p.default sin.default cos.default "
                     "tan.default asin.default acos.default atan.default atan2.default sinh.default cosh.default "
                     "asinh.default acosh.default atanh.default erf.default erfc.default erfinv.default "
                     "logit.default maximum.default minimum.default max.other min.other fmax.default fmin.default "
                     "clamp.default clamp.Tensor clamp_min.default clamp_min.Tensor clamp_max.default "
                     "clamp_max.Tensor nan_to_num.default hypot.default logaddexp.default xlogy.Tensor "
                     "heaviside.default sinc.default special_expit.default special_erf.default "
                     "deg2rad.default rad2deg.default")
    yield from _rows("Arithmetic", "div.Tensor div.Scalar div.Tensor_mode div.Scalar_mode floor_divide.default "
                     "floor_divide.Scalar remainder.Tensor remainder.Scalar fmod.Tensor fmod.Scalar",
                     rule=rules.nonzero_scalar)

    yield from _rows("Rounding and types", "_to_copy.default round.default round.decimals floor.default ceil.default "
                     "trunc.default frac.default fake_quantize_per_tensor_affine.default "
                     "fake_quantize_per_channel_affine.default bitwise_and.Tensor bitwise_and.Scalar "
                     "bitwise_or.Tensor bitwise_or.Scalar bitwise_xor.Tensor bitwise_xor.Scalar bitwise_not.default "
                     "__and__.Scalar __and__.Tensor __or__.Scalar __or__.Tensor __xor__.Scalar __xor__.Tensor")
    yield from _rows("Rounding and types", "bitwise_right_shift.Tensor bitwise_right_shift.Tensor_Scalar "
                     "bitwise_left_shift.Tensor bitwise_left_shift.Tensor_Scalar __rshift__.Scalar __rshift__.Tensor "
                     "__lshift__.Scalar __lshift__.Tensor bitwise_right_shift.Scalar_Tensor "
                     "bitwise_left_shift.Scalar_Tensor", rule=rules.integer_shift)

    yield from _rows("Comparison", "eq.Scalar eq.Tensor ne.Scalar ne.Tensor lt.Scalar lt.Tensor le.Scalar le.Tensor "
                     "gt.Scalar gt.Tensor ge.Scalar ge.Tensor logical_and.default logical_or.default "
                     "logical_not.default logical_xor.default isnan.default isinf.default isfinite.default")

    yield from _rows("Reduction", "sum.default sum.dim_IntList mean.default mean.dim var.default var.dim "
                     "var.correction std.default std.dim std.correction var_mean.dim var_mean.correction "
                     "std_mean.correction max.default max.dim min.default min.dim amax.default amin.default "
                     "aminmax.default argmax.default argmin.default prod.default prod.dim_int norm.Scalar "
                     "norm.ScalarOpt_dim logsumexp.default any.default any.dim any.dims all.default all.dim "
                     "cumsum.default cumprod.default cummax.default cummin.default logcumsumexp.default sort.default "
                     "sort.stable argsort.default topk.default median.default median.dim kthvalue.default "
                     "count_nonzero.dim_IntList count_nonzero.default trace.default")


def _sizes() -> Iterator[Operator]:
    yield from _row("Sizes", "aten.sym_size.int")
    yield from _row("Sizes", "aten.sym_numel.default")
    for name, function in _SIZES.items():
        yield from _row("Sizes", name, runs=function)
# fmt: on


# Arithmetic of sizes; powers and shifts are missing because their results may be arbitrarily long.
_SIZES: Mapping[str, Function] = {
    "operator.add": operator.add,
    "operator.sub": operator.sub,
    "operator.mul": operator.mul,
    "operator.floordiv": operator.floordiv,
    "operator.truediv": operator.truediv,
    "operator.mod": operator.mod,
    "operator.neg": operator.neg,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_int": int,
    "torch.sym_float": float,
    "math.ceil": math.ceil,
    "math.floor": math.floor,
    "math.trunc": math.trunc,
}


def _table() -> Iterator[Operator]:
    for rows in (_layers, _shapes, _elements, _numbers, _sizes):
        yield from rows()


@cache
def operators() -> Mapping[str, Operator]:
    """All rows by name."""
    return {each.name: each for each in _table()}


# Why torch's commonest other operators have no row, by the beginning of their names; the rest are just not known.
_REASONS = {
    "rand": "draws random numbers", "bernoulli": "draws random numbers", "multinomial": "draws random numbers",
    "normal": "draws random numbers", "uniform": "draws random numbers", "native_dropout": "drops values at random",
    "poisson": "draws random numbers", "exponential": "draws random numbers",
    "item": "turns a value into a number, so that what follows depends on the image's values",
    "_local_scalar_dense": "turns a value into a number, so that what follows depends on the image's values",
    "nonzero": "has a result whose size depends on values",
    "masked_select": "has a result whose size depends on values",
    "unique": "has a result whose size depends on values", "_unique": "has a result whose size depends on values",
    "_native_batch_norm_legit": "normalises with the statistics of the batch: an image's logits depend on the others",
    "as_strided": "reads memory by address", "set": "reads memory by address",
    "fft": "is a Fourier transform, which is not supported", "_fft": "is a Fourier transform, which is not supported",
    "quantize": "is an operator of torch's own quantisation, which is not supported",
}  # fmt: skip


def why_not(name: str) -> str:
    """What to say of an operator without a row."""
    packet = name.removeprefix("aten.")
    if name.startswith("aten.") and (
        found := next((why for key, why in _REASONS.items() if packet.startswith(key)), None)
    ):
        return f"the operator {found}"
    return "the operator is not one of those that can be verified"
