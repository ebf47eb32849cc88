"""Losses against the published figures and formulas, and optimizers' defaults, groups and steps."""

import copy
import math
from collections import OrderedDict

import pytest
import torch
from torch import nn, optim

from cifarbench.config import choices
from cifarbench.config.choices import OPTIMIZERS
from cifarbench.config.knobs import TrainConfig
from cifarbench.errors import UserError
from cifarbench.training.initial import freeze_backbone
from cifarbench.training.losses import LOSSES, make_loss
from cifarbench.training.muon import Muon, orthogonal
from cifarbench.training.optimizers import OPTIMIZERS as KINDS
from cifarbench.training.optimizers import Optimizers, make_optimizers
from cifarbench.training.schedules import SCHEDULES as FORMULAS

UNDECIDED = torch.zeros(10, 10)  # a network that gives every class the probability 0.1
EVERY_CLASS = torch.arange(10)


def loss_of(
    name: str, logits: torch.Tensor = UNDECIDED, labels: torch.Tensor = EVERY_CLASS, **knobs: object
) -> float:
    return make_loss(TrainConfig(loss=name, **knobs), nn.Linear(1, 1))(logits, labels).item()


def test_index_targets_give_the_losses_that_were_published() -> None:
    """Published: 27.6100 and 9.9929, whatever the network does; they come from targets of 0 to 9."""
    assert loss_of("mean_squared_error_index") == pytest.approx(27.6100, abs=5e-5)
    assert loss_of("binary_cross_entropy_index") == pytest.approx(9.9929, abs=5e-5)


def test_losses_on_one_hot_targets() -> None:
    assert loss_of("cross_entropy") == pytest.approx(math.log(10))
    assert loss_of("mean_squared_error") == pytest.approx((0.9**2 + 9 * 0.1**2) / 10)
    assert loss_of("binary_cross_entropy") == pytest.approx(-(math.log(0.1) + 9 * math.log(0.9)) / 10)
    assert loss_of("cross_entropy", torch.eye(10) * 9, label_smoothing=0.1) == pytest.approx(
        nn.functional.cross_entropy(torch.eye(10) * 9, EVERY_CLASS, label_smoothing=0.1).item()
    )


def test_binary_cross_entropy_clips_as_keras_does() -> None:
    certain = torch.eye(10).roll(1, 0) * 1000
    assert loss_of("binary_cross_entropy", certain) == pytest.approx(-2 * math.log(1e-7) / 10, rel=1e-2)


@pytest.mark.parametrize("name", ["cross_entropy", "mean_squared_error", "binary_cross_entropy"])
def test_shares_of_the_classes_are_targets_as_well(name: str) -> None:
    logits = torch.randn(10, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    whole = nn.functional.one_hot(EVERY_CLASS, 10).double()
    loss = make_loss(TrainConfig(loss=name), nn.Linear(1, 1))
    assert loss(logits, whole).item() == pytest.approx(loss(logits, EVERY_CLASS).item(), rel=1e-12)
    assert loss(logits, whole).dtype == torch.float64  # nothing is made coarser
    assert loss(logits.bfloat16(), EVERY_CLASS).dtype == torch.float32
    if name == "cross_entropy":  # which is linear in its targets
        mixed = loss(logits, 0.3 * whole + 0.7 * whole.roll(1, 1)).item()
        parts = 0.3 * loss(logits, EVERY_CLASS) + 0.7 * loss(logits, (EVERY_CLASS + 1) % 10)
        assert mixed == pytest.approx(parts.item())


def test_the_penalty_of_the_last_layer_is_added() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 10))
    loss = make_loss(TrainConfig(last_layer_l2=0.01), model)(UNDECIDED, EVERY_CLASS)
    assert loss.item() == pytest.approx(math.log(10) + 0.01 * model[1].weight.square().sum().item())
    loss.backward()
    assert model[0].weight.grad is None
    assert torch.allclose(model[1].weight.grad, 0.02 * model[1].weight)


def test_every_choice_has_its_function_and_nothing_else_has() -> None:
    assert KINDS.keys() == OPTIMIZERS.keys()
    assert FORMULAS.keys() == choices.SCHEDULES.keys()
    assert LOSSES.keys() == choices.LOSSES.keys()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_take_their_values_from_the_conventions(name: str) -> None:
    def settings(**knobs: object) -> dict[str, object]:
        model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        return make_optimizers(TrainConfig(optimizer=name, **knobs), model).parts[-1].defaults

    plain = KINDS[name].optimizer(nn.Linear(1, 1).parameters(), lr=0.001)
    neutral = {"weight_decay": 0, "fused": None}
    if name == "muon":  # whose momentum is the knob's
        neutral |= {"momentum": 0.0, "nesterov": False}
    assert {**settings(), **neutral} == {**plain.defaults, **neutral}
    keras = settings(conventions="keras", weight_decay=0.5)
    assert keras["weight_decay"] == 0.5
    for argument, knob in KINDS[name].arguments.items():
        assert knob in OPTIMIZERS[name].reads
        if knob in OPTIMIZERS[name].keras:
            assert keras[argument] == OPTIMIZERS[name].keras[knob]


def test_several_optimizers_and_groups_share_one_rate_each_at_its_own_scale() -> None:
    layers = [nn.Linear(1, 1, bias=False) for _ in range(3)]
    groups = [{"params": layers[n].parameters(), "scale": scale} for n, scale in enumerate((1, 2))]
    both = Optimizers(
        torch.optim.SGD(groups, lr=1), torch.optim.Adam([{"params": layers[2].parameters(), "scale": 0.5}])
    )
    both.prepare(0, 0.1)
    assert [group["lr"] for group in both.groups] == pytest.approx([0.1, 0.2, 0.05])
    before = [layer.weight.item() for layer in layers]
    for layer in layers:
        layer.weight.grad = torch.ones(1, 1)
    both.step()
    moved = [old - layer.weight.item() for old, layer in zip(before, layers, strict=True)]
    assert moved == pytest.approx([0.1, 0.2, 0.05], rel=1e-4)
    kept = copy.deepcopy(both.state())
    both.step()
    both.load(kept)
    assert [group["scale"] for group in both.groups] == [1, 2, 0.5]
    assert both.parts[1].state[layers[2].weight]["step"] == 1
    both.zero_grad()
    assert all(layer.weight.grad is None for layer in layers)


def test_decay_may_leave_biases_and_norms_alone() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    optimizers = make_optimizers(TrainConfig(optimizer="sgd", weight_decay=0.5, decay_on="matrices"), model)
    decay = {p: group["weight_decay"] for group in optimizers.groups for p in group["params"]}
    assert {name: decay[p] for name, p in model.named_parameters()} == {
        "0.weight": 0.5,
        "0.bias": 0,
        "1.weight": 0,
        "1.bias": 0,
        "3.weight": 0.5,
        "3.bias": 0,
    }
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizers.prepare(0, 0.1)
    optimizers.step()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter, before[name] * (0.95 if decay[parameter] else 1))


NAMES = {"0.weight", "0.bias", "1.weight", "1.bias", "2.weight", "4.weight", "4.bias"}


def net() -> nn.Sequential:
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 40, 3, bias=False)
    return nn.Sequential(*conv, nn.Flatten(), nn.Linear(40, 2))


def rates_of(model: nn.Module, **knobs: object) -> dict[str, float]:
    """Return the rate of each parameter at a learning rate of 1."""
    optimizers = make_optimizers(TrainConfig(**{"optimizer": "sgd", "learning_rate": 1, **knobs}), model)
    optimizers.prepare(0, 1)
    rate = {parameter: group["lr"] for group in optimizers.groups for parameter in group["params"]}
    return {name: rate[parameter] for name, parameter in model.named_parameters()}


@pytest.mark.parametrize(
    ("knob", "members"),
    [
        ("bias_rate", {"0.bias", "4.bias"}),
        ("norm_rate", {"1.weight", "1.bias"}),
        ("first_layer_rate", {"0.weight", "0.bias"}),
        ("last_layer_rate", {"4.weight", "4.bias"}),
    ],
)
def test_a_part_of_a_model_has_its_own_rate(knob: str, members: set[str]) -> None:
    assert rates_of(net(), **{knob: 3}) == {name: 3 if name in members else 1 for name in NAMES}


def test_factors_of_the_rate_multiply_and_leave_decay_to_its_knob() -> None:
    assert rates_of(net(), first_layer_rate=0.5, bias_rate=4)["0.bias"] == 2
    config = TrainConfig(optimizer="sgd", weight_decay=0.5, decay_on="matrices", bias_rate=4, norm_rate=2)
    groups = make_optimizers(config, net()).groups
    found = {(group["scale"], group["weight_decay"], len(group["params"])) for group in groups}
    assert found == {(1, 0.5, 3), (4, 0, 2), (2, 0, 2)}


def test_a_factor_for_what_a_model_does_not_train_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"norm_rate: 2\.0 has no effect: this model trains no norm; remove it"
    ):
        rates_of(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), norm_rate=2)
    frozen = net()
    frozen[0].requires_grad_(False)
    with pytest.raises(UserError, match=r"first_layer_rate: 0\.0 has no effect"):
        rates_of(frozen, first_layer_rate=0)


def test_muon_turns_matrices_and_filters_and_leaves_the_rest() -> None:
    model = net()
    rest, muon = make_optimizers(TrainConfig(optimizer="muon", muon_rest="sgd"), model).parts
    assert {id(p) for g in muon.param_groups for p in g["params"]} == {
        id(model[0].weight),
        id(model[2].weight),
    }
    assert sum(len(g["params"]) for g in rest.param_groups) == 5
    assert isinstance(rest, optim.SGD)
    assert isinstance(make_optimizers(TrainConfig(optimizer="muon"), model).parts[0], optim.AdamW)
    with pytest.raises(UserError, match="'muon' needs a layer before the last one"):
        make_optimizers(TrainConfig(optimizer="muon"), nn.Linear(3, 2))


class Tokens(nn.Module):
    """What a transformer has beside its layers: values of three dimensions that are no weight of one."""

    def __init__(self) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.layer_scale = nn.Parameter(torch.ones(4, 1, 1))
        self.patches = nn.Conv2d(3, 4, 8)
        self.attention = nn.MultiheadAttention(4, 1)
        self.head = nn.Linear(4, 2)


def test_the_layers_of_a_transformer_are_those_with_weights() -> None:
    rates = rates_of(Tokens(), first_layer_rate=3, last_layer_rate=5)
    assert {name: rate for name, rate in rates.items() if rate != 1} == {
        "patches.weight": 3,
        "patches.bias": 3,
        "head.weight": 5,
        "head.bias": 5,
    }
    model = Tokens()
    _, muon = make_optimizers(TrainConfig(optimizer="muon"), model).parts
    turned = {id(p) for group in muon.param_groups for p in group["params"]}
    assert {name for name, p in model.named_parameters() if id(p) in turned} == {
        "patches.weight",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    }


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(OrderedDict(head=nn.Linear(4, 2), body=nn.Conv2d(3, 4, 8))),
        nn.Sequential(OrderedDict(body=nn.Conv2d(3, 4, 8), head=nn.Conv2d(4, 2, 1))),
    ],
)
def test_rate_penalty_and_freezing_mean_the_same_last_layer(model: nn.Sequential) -> None:
    assert {name for name, rate in rates_of(model, last_layer_rate=3).items() if rate != 1} == {
        "head.weight",
        "head.bias",
    }
    model.head.weight.data.fill_(0.5)
    plain, held = (make_loss(TrainConfig(last_layer_l2=l2), model) for l2 in (0.0, 0.01))
    penalty = held(UNDECIDED, EVERY_CLASS) - plain(UNDECIDED, EVERY_CLASS)
    assert penalty.item() == pytest.approx(0.01 * 0.25 * 8)
    freeze_backbone(model, 2)
    assert [name for name, p in model.named_parameters() if p.requires_grad] == ["head.weight", "head.bias"]


def test_what_has_no_last_layer_is_refused() -> None:
    with pytest.raises(UserError, match="last_layer_l2: this model has no layer with weights to hold down"):
        make_loss(TrainConfig(last_layer_l2=0.01), nn.BatchNorm2d(3))
    with pytest.raises(UserError, match="with 3 outputs, one a class; it has none; remove it"):
        freeze_backbone(nn.BatchNorm2d(3), 3)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_steps_as_pytorchs(shape: tuple[int, int], nesterov: bool) -> None:
    """PyTorch's rounds to bfloat16 on the way; so do we on a GPU."""
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), torch.randn(8, *shape)
    knobs = {"lr": 0.1, "weight_decay": 0.2, "momentum": 0.8, "nesterov": nesterov}
    ends = []
    for kind in (optim.Muon, Muon):
        weights = nn.Parameter(start.clone())
        optimizer = kind([weights], **knobs)
        for gradient in gradients:
            weights.grad = gradient
            optimizer.step()
        ends.append(weights.detach() - start)
    assert (ends[0] - ends[1]).norm() < 0.01 * ends[0].norm()
    weights = nn.Parameter(torch.zeros(shape))
    weights.grad = gradients[0]
    optim.Muon([weights], lr=1, momentum=0).step()
    ours = orthogonal(gradients[0].bfloat16()).float() * max(1, shape[0] / shape[1]) ** 0.5
    assert torch.equal(weights.detach(), -ours)


def test_muon_gives_singular_values_near_one_and_may_keep_the_length() -> None:
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(16, 40, dtype=torch.float64)))
    assert values.min() > 0.5
    assert values.max() < 1.3
    filters = nn.Parameter(torch.randn(16, 4, 3, 3))
    filters.grad = torch.randn(16, 4, 3, 3)
    before = filters.detach().clone()
    Muon([filters], lr=0.01, weight_decay=0, momentum=0, nesterov=False, norm="fixed").step()
    turned = orthogonal(filters.grad.flatten(1)).view(16, 4, 3, 3)
    assert torch.allclose(filters, before * 4 / before.norm() - 0.01 * turned)
