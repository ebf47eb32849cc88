"""Average pooled patches and two linear layers: the least that a file of your own must hold.

`build` gets the number of classes and returns a torch module from images (N, 3, 32, 32) to logits
(N, classes). Its keyword arguments are the knobs it takes (width, activation, conv_activation, dropout,
classifier), each with the model's own value; name only those that it uses. `image_size: int = 32` among
them is handed the side of the images, where that is another.
"""

from torch import nn


def build(classes: int, *, width: float = 1.0, dropout: float = 0.1) -> nn.Module:
    hidden = round(128 * width)
    return nn.Sequential(
        nn.Conv2d(3, hidden, kernel_size=4, stride=4),  # (N, 3, 32, 32) -> (N, hidden, 8, 8)
        nn.GELU(),
        nn.AvgPool2d(2),
        nn.Flatten(),  # (N, 16 hidden)
        nn.Dropout(dropout),
        nn.Linear(16 * hidden, classes),
    )
