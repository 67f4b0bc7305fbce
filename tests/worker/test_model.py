"""Building and running what students write, and always by the base class's rules."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.errors import SubmissionError
from harness.worker.building import build
from harness.worker.messages import Batches
from harness.worker.model import Model, first_floating, modules_of
from harness.worker.sources.definitions import Located

torch.set_num_threads(1)
IMAGE = (3, 8, 8)
PIXELS = torch.randint(0, 256, (11, *IMAGE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN, STD = (0.5, 0.4, 0.3), (0.5, 0.25, 0.2)


def logits_of(model: Model, batch_size: int = 4, classes: int = 10) -> torch.Tensor:
    logits = torch.full((len(PIXELS), classes), float("nan"))
    model.forward(PIXELS, logits, Batches(pixels=PIXELS.shape, mean=MEAN, std=STD, batch_size=batch_size))
    return logits


def normalised() -> torch.Tensor:
    shape = (1, 3, 1, 1)
    return (PIXELS.float() / 255 - torch.tensor(MEAN).view(shape)) / torch.tensor(STD).view(shape)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(4, 10)
        nn.init.normal_(self.norm.running_mean)

    def forward(self, x):
        return self.fc(self.drop(torch.relu(self.norm(self.conv(x))).mean((2, 3))))


def plainly(module: nn.Module) -> torch.Tensor:
    """Image by image, without the harness."""
    with torch.no_grad():
        return torch.cat([module.eval()(each[None]) for each in normalised()])


def test_logits_are_those_of_plain_torch():
    torch.testing.assert_close(logits_of(Model(Net(), IMAGE)), plainly(Net()), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch_size", [1, 2, 10, 11, 64])
def test_batch_sizes_do_not_matter(batch_size):
    model = Model(Net(), IMAGE)
    torch.testing.assert_close(logits_of(model, batch_size), logits_of(model, 4), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("wrap", "kind"),
    [
        (lambda x: (x, x + 1), "tuple"),
        (lambda x: [torch.zeros(len(x), 3), x], "list"),
        (lambda x: {"features": torch.zeros(len(x), 3), "logits": x, "again": -x}, "dict"),
        (lambda x: (None, "text", x), "tuple"),
    ],
)
def test_the_first_fitting_tensor_of_a_collection_is_taken(wrap, kind):
    class Wrapped(Net):
        def forward(self, x):
            return wrap(super().forward(x))

    model = Model(Wrapped(), IMAGE)
    assert torch.equal(logits_of(model), logits_of(Model(Net(), IMAGE)))
    assert model.notes == {f"forward returned a {kind}; its first [N, 10] tensor was taken"}


class Squeezes(nn.Module):
    """Drops the dimension of the batch where it is 1."""

    def __init__(self, last):
        super().__init__()
        self.conv, self.last = nn.Conv2d(IMAGE[0], 10, IMAGE[1]), last

    def forward(self, x):
        return self.last(self.conv(x).squeeze())


def on_parts(model, images, at_once):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (images, *IMAGE), dtype=torch.uint8, generator=generator)
    logits = torch.empty(images, 10)
    model.forward(
        pixels, logits, Batches(pixels=pixels.shape, batch_size=at_once, mean=(0.0,) * IMAGE[0], std=(1.0,) * IMAGE[0])
    )
    return logits


def test_a_batch_of_one_image_that_was_squeezed_is_read_and_said():
    model = Model(Squeezes(lambda x: x), IMAGE)
    assert torch.allclose(on_parts(model, 5, 2), on_parts(Model(model.module, IMAGE), 5, 5), atol=1e-5)
    (note,) = model.notes
    assert note.startswith("forward returned [10] for a batch of one image, read as [1, 10]: squeeze()")


def test_what_only_a_batch_of_one_image_breaks_is_said():
    model = Model(Squeezes(lambda x: x.log_softmax(dim=1)), IMAGE)
    with pytest.raises(SubmissionError, match=r"on a batch of one image; larger ones went through") as error:
        on_parts(model, 5, 2)
    assert error.value.status == "crashed"
    assert "squeeze(-1)" in error.value.hint
    on_parts(model, 4, 2)


def test_a_plain_tensor_needs_no_note():
    model = Model(Net(), IMAGE)
    logits_of(model)
    assert model.notes == set()


class Viewed(nn.Module):
    def __init__(self, flatten):
        super().__init__()
        torch.manual_seed(1)
        self.conv, self.fc, self.flatten_it = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 10), flatten
        self.seen = []

    def forward(self, x):
        self.seen.append(x.is_contiguous())
        return self.fc(self.flatten_it(torch.relu(self.conv(x))))


def test_view_after_a_convolution_falls_back_to_the_other_memory_format():
    by_view = Model(Viewed(lambda x: x.view(len(x), -1)), IMAGE)
    by_flatten = Model(Viewed(lambda x: x.flatten(1)), IMAGE)
    by_view.module.seen.clear()
    by_flatten.module.seen.clear()
    torch.testing.assert_close(logits_of(by_view), logits_of(by_flatten), rtol=1e-5, atol=1e-6)
    assert by_view.module.seen == [True] * 3
    assert by_flatten.module.seen == [False] * 3


def test_lazy_modules_get_their_shapes_from_the_assignments_images():
    module = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(10))
    model = Model(module, IMAGE)
    outline = model.outline()
    assert outline.lazy
    assert outline.state["0.weight"] == (4, 3, 3, 3)
    assert outline.state["3.weight"] == (10, 144)
    # The empty image was seen in eval mode: no statistics were made from it.
    assert not module[1].running_mean.any()
    assert logits_of(model).isfinite().all()
    assert not Model(Net(), IMAGE).outline().lazy


def test_the_outline_tells_parameters_from_buffers_and_keeps_both_names_of_tied_ones():
    module = nn.Sequential(nn.Flatten(), nn.Linear(192, 192), nn.Linear(192, 192), nn.Linear(192, 10))
    module[2].weight = module[1].weight
    module.register_buffer("table", torch.zeros(2, 3))
    module.register_buffer("unsaved", torch.zeros(2), persistent=False)
    outline = Model(module, IMAGE).outline()
    assert outline.state["table"] == (2, 3)
    assert "unsaved" not in outline.state
    assert {"1.weight", "2.weight", "3.bias"} <= set(outline.parameters)
    assert "table" not in outline.parameters


class Disobedient(Net):
    """Keeps dropout on, keeps its own weights, hides its state."""

    def eval(self):
        return self

    def train(self, mode=True):
        return super().train(True)

    def load_state_dict(self, *_, **__):
        return None

    def state_dict(self, *_, **__):
        return {}

    def float(self):
        return self

    def named_modules(self, *_, **__):
        return iter(())

    def named_parameters(self, *_, **__):
        raise RuntimeError("none of your business")


def test_overridden_methods_change_nothing():
    module = Disobedient()
    model = Model(module, IMAGE)
    assert not any(each.training for each in (module, module.conv, module.norm, module.drop, module.fc))
    assert torch.equal(logits_of(model), logits_of(Model(Net(), IMAGE)))
    zeros = {name: torch.zeros_like(each) for name, each in Net().state_dict().items()}
    model.load(zeros)
    assert not logits_of(model).any()


def test_a_forward_that_returns_to_training_is_put_back_before_every_pass():
    class Relapsing(Net):
        def forward(self, x):
            answer = super().forward(x)
            self.train()
            return answer

    model = Model(Relapsing(), IMAGE)
    first = logits_of(model, batch_size=64)
    assert torch.equal(first, logits_of(Model(Net(), IMAGE), batch_size=64))
    assert torch.equal(logits_of(model, batch_size=64), first)


def test_images_arrive_in_the_precision_of_the_first_layer():
    class Secretive(nn.Sequential):
        def named_parameters(self, *_, **__):
            raise RuntimeError("none of your business")

    layers = nn.Linear(2, 2).half(), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double())
    assert first_floating(Secretive(*layers)).dtype == torch.float16
    assert [type(each).__name__ for each in modules_of(nn.Sequential(*layers))] == [
        type(each).__name__ for each in nn.Sequential(*layers).modules()
    ]


def test_half_precision_networks_stay_so():
    class Half(Net):
        def __init__(self):
            super().__init__()
            self.half()

    model = Model(Half(), IMAGE)
    assert all(each.dtype == torch.float16 for each in model.module.parameters())
    images = (
        (PIXELS.float() / 255 - torch.tensor(MEAN).view(1, -1, 1, 1)) / torch.tensor(STD).view(1, -1, 1, 1)
    ).half()
    with torch.inference_mode():
        expected = model.module(images).float()
    torch.testing.assert_close(logits_of(model), expected, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.bfloat16])
def test_logits_of_other_types_become_float32(dtype):
    class Typed(Net):
        def forward(self, x):
            return super().forward(x).to(dtype)

    expected = logits_of(Model(Net(), IMAGE)).to(dtype).float()
    torch.testing.assert_close(logits_of(Model(Typed(), IMAGE)), expected)


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        (lambda x: torch.zeros(len(x), 7), r"\[4, 7\]"),
        (lambda x: torch.zeros(len(x)), r"\[4\]"),
        (lambda x: torch.zeros(len(x), 10, 1, 1), r"\[4, 10, 1, 1\]"),
        (lambda _: torch.zeros(3, 10), r"\[3, 10\]"),
        (lambda x: (torch.zeros(len(x), 2), torch.zeros(1)), r"\[4, 2\] and \[1\]"),
        (lambda _: None, "NoneType"),
        (lambda _: "cat", "str"),
    ],
)
def test_wrong_answers_are_refused_with_their_shape(answer, got):
    class Wrong(nn.Module):
        def forward(self, x):
            return answer(x)

    with pytest.raises(
        SubmissionError, match=f"forward returned {got} for 4 images; expected logits of shape"
    ) as error:
        logits_of(Model(Wrong(), IMAGE))
    assert error.value.status == "rejected"
    assert "10 numbers per image" in error.value.hint


def located(thing: object, name: str = "StudentNet") -> Located:
    return Located(thing, name, "model.py", 7, ())


def test_missing_arguments_are_named_with_a_way_to_give_them():
    class Needy(Net):
        def __init__(self, width, depth=2):
            super().__init__()
            self.width = width

    with pytest.raises(SubmissionError, match=r"StudentNet\(depth=3\) cannot be called: .*'width'") as error:
        build(located(Needy), {"depth": 3}, IMAGE)
    assert error.value.status == "rejected"
    assert "model_arguments" in error.value.hint
    assert build(located(Needy), {"width": 5}, IMAGE).module.width == 5


def test_a_type_error_inside_the_students_code_stays_theirs():
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            nn.Linear()

    with pytest.raises(TypeError, match="in_features"):
        build(located(Wrong), {}, IMAGE)


def test_factories_and_modules_made_already_are_fine():
    assert isinstance(build(located(lambda **_: Net()), {}, IMAGE).module, Net)
    module = Net()
    assert build(located(module), {}, IMAGE).module is module


@pytest.mark.parametrize(
    ("thing", "complaint"),
    [
        (lambda: 5, r"StudentNet \(model.py line 7\) returned int, not a torch.nn.Module"),
        (lambda: Net, r"returned type, not"),
        (lambda: None, r"returned NoneType, not"),
        (5, r"StudentNet \(model.py line 7\) is not a class or function"),
    ],
)
def test_entry_points_that_give_no_network(thing, complaint):
    with pytest.raises(SubmissionError, match=complaint) as error:
        build(located(thing), {}, IMAGE)
    assert error.value.status == "rejected"


def test_torchinfo_leaves_the_network_as_it_was():
    module = Net()
    model = Model(module, IMAGE)
    before = logits_of(model)
    state = {name: each.clone() for name, each in module.state_dict().items()}
    mask = torch.zeros_like(module.fc.weight)
    mask[0] = 1
    described = model.describe({**state, "fc.weight_mask": mask}, ("fc.weight",))
    assert described.torchinfo == 112 + 8 + 50 - 36
    assert described.torchinfo_error is None
    assert [layer[0] for layer in described.layers] == ["conv", "norm", "drop", "fc"]
    assert module.state_dict().keys() == state.keys()
    assert not any(each.training for each in module.modules())
    model.load(state)
    assert torch.equal(logits_of(model), before)


def test_a_network_torchinfo_cannot_describe_is_still_a_network():
    class Shy(Net):
        def forward(self, x):
            if len(x) == 1:
                raise ValueError("a batch of one")
            return super().forward(x)

    model = Model(Shy(), IMAGE)
    described = model.describe(dict(Net().state_dict()), ())
    assert described.torchinfo is None
    assert described.torchinfo_error
    torch.testing.assert_close(logits_of(model, batch_size=11), logits_of(Model(Net(), IMAGE)), rtol=1e-5, atol=1e-6)
