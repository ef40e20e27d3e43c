# SPDX-License-Identifier: Apache-2.0
"""usage: evaluate_peer.py DATA OUT.json MODEL EVERY     PatchCore as anomalib has it, from photos to metrics; see evaluate.py."""
import time

BEGUN = time.perf_counter()

import glob
import json
import pathlib
import sys

import numpy as np
import timm
import torch
from anomalib.metrics.aupro import _AUPRO
from anomalib.models.image.patchcore import torch_model
from PIL import Image
from safetensors import safe_open
from sklearn.metrics import average_precision_score, roc_auc_score

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from rows import inputs
from rows.greedy_peer import Short

SIDE = 320


class Lite0(torch.nn.Module):
    """EfficientNet-lite0 with the published weights; its layers at an eighth and a sixteenth."""

    def __init__(self):
        super().__init__()
        given = torch.load(glob.glob(str(pathlib.Path(timm.__file__).parents[1] / "*efficientnet_lite0*/**/*.pth"), recursive=True)[0])
        self.net = timm.create_model("efficientnet_lite0", pretrained=False, bn_eps=1e-3)
        names = list(self.net.state_dict())
        self.net.load_state_dict(dict(zip(names, given.values(), strict=True)))

    def train(self, mode=True):
        """Frozen, as anomalib's own extractor is: the model's train() would make its norms take each batch's statistics."""
        return super().train(False)

    def forward(self, x):
        x = self.net.bn1(self.net.conv_stem(x))
        out = {}
        for i, block in enumerate(self.net.blocks):
            x = block(x)
            if i in (2, 4):
                out[f"blocks.{i}"] = x
            if i == 4:
                return out


def read(path):
    rgb = torch.from_numpy(np.array(Image.open(path).convert("RGB"), np.float32) / 255).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(rgb, (SIDE, SIDE), mode="bilinear", antialias=True)
    return (small - 0.5) / 0.5


def read_mask(path, root):
    mask = root / "ground_truth" / path.parent.name / f"{path.stem}_mask.png"
    if not mask.exists():
        return np.zeros((SIDE, SIDE), bool)
    return np.asarray(Image.open(mask).convert("L").resize((SIDE, SIDE), Image.NEAREST)) > 0


def main():
    root, every = pathlib.Path(sys.argv[1]), int(sys.argv[4])
    torch.set_num_threads(inputs.THREADS)
    photos = lambda split: sorted(p for p in (root / split).rglob("*") if p.suffix.lower() in inputs.SUFFIXES)
    torch_model.KCenterGreedy = Short
    Short.most = 30
    model = torch_model.PatchcoreModel(("layer2", "layer3"), "resnet18", pre_trained=False, num_neighbors=9)
    model.feature_extractor, model.layers = Lite0().eval(), ("blocks.2", "blocks.4")
    with torch.no_grad():
        model.train()
        train = photos("train")
        for i in range(0, len(train), 8):
            model(torch.cat([read(p) for p in train[i:i + 8]]))
        model.subsample_embedding(0.1)
        fitted = time.perf_counter()
        with safe_open(sys.argv[3], "pt") as file:
            model.memory_bank = file.get_tensor([k for k in file.keys() if k.endswith("bank.rows")][0])
        model.eval()
        test = photos("test")
        some = test[::every]
        resumed, maps, samples = time.perf_counter(), [], []
        for path in some:
            result = model(read(path))
            maps.append(result.anomaly_map[0, 0].numpy())
            samples.append({"path": str(path.relative_to(root)), "label": int(path.parent.name != "good"), "score": float(result.pred_score)})
    scores, masks = np.stack(maps), np.stack([read_mask(p, root) for p in some])
    labels = [s["label"] for s in samples]
    pro = _AUPRO()
    pro.update(torch.from_numpy(scores), torch.from_numpy(masks.astype(int)))
    found = {"image_auroc": roc_auc_score(labels, [s["score"] for s in samples]),
             "image_ap": average_precision_score(labels, [s["score"] for s in samples]),
             "pixel_auroc": roc_auc_score(masks.ravel(), scores.ravel()), "pixel_ap": average_precision_score(masks.ravel(), scores.ravel()),
             "aupro": float(pro.compute()), "samples": samples}
    scoring = (time.perf_counter() - resumed) * len(test) / len(some)
    found["seconds_whole"] = fitted - BEGUN + Short.missing + scoring
    found["note"] = (f"peer: {fitted - BEGUN:.0f} s to the coreset's first {len(Short.picks)} picks, {Short.missing:.0f} s for the rest by "
                     f"count, scoring {scoring:.0f} s" + ("" if every == 1 else f" by {len(some)} of {len(test)} photos"))
    pathlib.Path(sys.argv[2]).write_text(json.dumps(found))


main()
