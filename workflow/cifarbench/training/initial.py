"""The model before its first step: weights drawn at random, or taken from the training images."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cifarbench.config.knobs import TrainConfig
from cifarbench.data.loading import Data
from cifarbench.errors import UserError
from cifarbench.files import sha256_of
from cifarbench.models.build import batch_norms, build_model, freeze, interpolated, last_layer, matrices
from cifarbench.models.weights import start_from
from cifarbench.training.random_streams import draw_weights_of

WHITENING_IMAGES, WHITENING_EPSILON = 5000, 5e-4  # as in airbench (Jordan, 2024)
CHUNK = 500  # images


def initial_model(config: TrainConfig, data: Data, file: Path | None) -> tuple[nn.Module, list[str]]:
    """Build the model of a run, on the CPU, as it is before the first step.

    With `initial_weights` the layers that the file has nothing for are named beside it.
    """
    draw_weights_of(config)
    model = build_model(config, len(data.manifest.classes), file, data.side)
    if config.whitening:
        whiten(model, data, config.image_size)
    anew = load_initial_weights(config, model)
    if config.freeze == "backbone":
        freeze_backbone(model, len(data.manifest.classes))
    return model, anew


def load_initial_weights(config: TrainConfig, model: nn.Module) -> list[str]:
    """Load the weights that a run starts from, if any; return the layers that keep those that were drawn."""
    if config.initial_weights is None:
        return []
    path = Path(config.initial_weights)
    if path.is_file() and sha256_of(path) != config.initial_weights_sha256:
        raise UserError(
            f"initial_weights: {path} is not the file that was planned: its sha256 is not "
            f"{config.initial_weights_sha256}; bring it back, or plan again"
        )
    return start_from(path, model)


def freeze_backbone(model: nn.Module, classes: int) -> None:
    """Let only the last layer with weights learn; BatchNorm keeps the statistics that it has."""
    last = last_layer(model)
    outputs = None if last is None else len(matrices(last)[0])
    if last is None or outputs != classes:
        found = "it has none" if last is None else f"its last has {outputs}"
        raise UserError(
            f"freeze: 'backbone' needs a last linear or convolutional layer with {classes} outputs, one a "
            f"class; {found}; remove it"
        )
    for norm in batch_norms(model):
        freeze(norm)
    model.requires_grad_(False)
    last.requires_grad_(True)


def whiten(model: nn.Module, data: Data, side: int | None = None) -> None:
    """Let the first convolution turn patches of the training images into uncorrelated numbers, and freeze it.

    Its filters are the directions in which patches vary, over the deviation there, and minus each (Jordan,
    2024, section 3.2). Raise UserError for a convolution that has not as many filters as that.
    """
    first = next((module for module in model.modules() if isinstance(module, nn.Conv2d)), None)
    if first is None:
        raise UserError("whitening: True needs a convolution, and this model has none; remove it")
    size = first.weight[0].numel()
    if first.out_channels != 2 * size:
        raise UserError(
            f"whitening: True needs a first convolution of {2 * size} filters, two for each value of its "
            f"patch; this model's has {first.out_channels}; remove it"
        )
    variances, directions = torch.linalg.eigh(patch_covariance(first.kernel_size, data, side))
    # Largest first; of the two signs, the one whose largest part is positive, on every machine.
    filters = (directions / (variances + WHITENING_EPSILON).sqrt()).T.flip(0)
    largest = filters.gather(1, filters.abs().argmax(1, keepdim=True))
    filters = filters * largest.sign()
    with torch.no_grad():
        first.weight.copy_(torch.cat((filters, -filters)).view_as(first.weight))
    first.weight.requires_grad_(False)


def patch_covariance(kernel: tuple[int, ...], data: Data, side: int | None) -> Tensor:
    """Return the second moments (C·h·w, C·h·w), float64, of patches of scaled training images.

    The images are evenly spaced, since a data set may be in the order of its classes.
    """
    total, count = torch.zeros((), dtype=torch.float64), 0
    images_used = min(WHITENING_IMAGES, len(data.train))
    spaced = torch.arange(images_used, device=data.train.rows.device) * len(data.train) // images_used
    for positions in spaced.split(CHUNK):
        images, _ = data.train.batch(positions)
        scaled = data.scale(images).cpu().double()
        if side:
            scaled = interpolated(scaled, side)
        patches = F.unfold(scaled, kernel)  # (N, C·h·w, places)
        total = total + torch.einsum("nip,njp->ij", patches, patches)
        count += len(patches) * patches.shape[2]
    return total / count
