"""Where a network looks: Grad-CAM (Selvaraju et al., 2017) by captum."""

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from cifarbench.data.readers.source import Images
from cifarbench.use.predictor import Predictor

COARSEST = 4  # cells of a side; what comes after says little of where


def grad_cam(predictor: Predictor, image: Images, label: int) -> NDArray[np.float32] | None:
    """Return how much each pixel (H, W) speaks for a class, 0 to 1; None if no layer tells."""
    scaled = predictor.scaled(torch.from_numpy(image[None].copy()))
    layer = last_spatial_layer(predictor.model, scaled)
    if layer is None:
        return None
    heat = LayerGradCam(predictor.model, layer).attribute(scaled, target=label, relu_attributions=True)
    heat = LayerAttribution.interpolate(heat, image.shape[1:], "bilinear")[0, 0].detach()
    return (heat / heat.max().clamp(min=1e-12)).numpy()


@torch.no_grad()
def last_spatial_layer(model: nn.Module, images: Tensor) -> nn.Module | None:
    """Return the module that is the last to give maps (N, C, H, W) of COARSEST cells or more."""
    found: list[nn.Module] = []

    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) >= COARSEST:
            found.append(module)

    handles = [module.register_forward_hook(note) for module in model.modules() if module is not model]
    model(images)
    for handle in handles:
        handle.remove()
    return found[-1] if found else None
