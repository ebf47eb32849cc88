"""Classify pictures: python load.py PICTURE... Takes torch, safetensors, Pillow and the files beside it."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

here = Path(__file__).parent
config = json.loads((here / "config.json").read_text())
classes, size = config["classes"], (config["image_size"],) * 2
network = torch.export.load(here / "model.pt2").module()
network.load_state_dict(load_file(here / "model.safetensors"))
for name in sys.argv[1:]:
    picture = ImageOps.exif_transpose(Image.open(name)).convert("RGB").resize(size, 2)  # 2 is bilinear
    pixels = torch.tensor(np.asarray(picture)).permute(2, 0, 1)[None]  # (1, 3, H, W), uint8
    shares = network(pixels).softmax(1)[0]
    print(name, classes[shares.argmax()], f"{shares.max():.1%}")
