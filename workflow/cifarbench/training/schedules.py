"""The learning rate over time."""

from torch import optim
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from cifarbench.config.knobs import TrainConfig


def make_schedule(
    config: TrainConfig, optimizer: optim.Optimizer, steps_per_epoch: int
) -> LRScheduler | None:
    """Return the learning rate schedule, to be stepped after each step of the optimizer."""
    warmup = round(config.warmup_epochs * steps_per_epoch)
    steps = config.epochs * steps_per_epoch - warmup
    main: LRScheduler | None = None
    match config.schedule:
        case "multistep":
            milestones = [epoch * steps_per_epoch - warmup for epoch in config.milestones]
            main = MultiStepLR(optimizer, milestones, config.gamma)
        case "cosine":
            main = CosineAnnealingLR(optimizer, steps)
        case "one_cycle":
            main = OneCycleLR(optimizer, config.learning_rate, steps, cycle_momentum=False)
    if warmup == 0:
        return main
    rise = LinearLR(optimizer, 1 / (warmup + 1), total_iters=warmup)
    return SequentialLR(optimizer, [rise, main], [warmup]) if main else rise
