# SPDX-License-Identifier: Apache-2.0
"""anomalib's PatchCore at the level of its model. In a peer's process only."""
import numpy as np
import torch
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from PIL import Image

from rows import inputs

MEAN, STD = torch.tensor([.485, .456, .406])[:, None, None], torch.tensor([.229, .224, .225])[:, None, None]


def make(backbone, weights):
    torch.set_num_threads(inputs.THREADS)
    model = PatchcoreModel(backbone=backbone, layers=("layer2", "layer3"), pre_trained=False, num_neighbors=9)
    given = torch.load(weights, map_location="cpu")
    net = model.feature_extractor.feature_extractor
    wanted = net.state_dict()
    net.load_state_dict({k: v for k, v in given.items() if k in wanted})
    return model


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB").resize((256, 256), Image.BILINEAR))


def normalise(rgb):
    return (torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1) - MEAN) / STD


def load(path):
    return normalise(pixels(path))
