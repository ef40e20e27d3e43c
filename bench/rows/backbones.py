# SPDX-License-Identifier: Apache-2.0
"""Forward pass of one photo, to layer3 (layer2 and layer3 come out), against the fastest of torch frozen with oneDNN, ONNX Runtime and
OpenVINO in the same precision. Same weights."""
import pathlib

import numpy as np

from rows import inputs

NETS = {"WR50": ("wide_resnet50_2", "layer2,layer3", 256), "R18": ("resnet18", "layer2,layer3", 256)}


def rows(full):
    peers = {"f32": ["torch frozen", "ONNX Runtime", "OpenVINO"], "bf16": ["torch frozen", "OpenVINO"]}
    return [{"name": f"{short} stem..layer3, {size} px, {p}", "goal": 1.0, "peers": peers[p], "unit": "ms", "rounds": 11,
             "backbone": name, "layers": layers, "size": size, "precision": p}
            for short, (name, layers, size) in NETS.items() for p in ("f32", "bf16")]


def photo(size):
    return np.random.default_rng(0).standard_normal((1, size, size, 3), dtype=np.float32)


def trunk(row, work):
    import timm
    import torch

    class Trunk(torch.nn.Module):
        def __init__(self, net):
            super().__init__()
            self.net = net

        def forward(self, x):
            n = self.net
            x = n.layer1(n.maxpool(n.act1(n.bn1(n.conv1(x)))))
            a = n.layer2(x)
            return a, n.layer3(a)

    torch.set_num_threads(inputs.THREADS)
    net = timm.create_model(row["backbone"], pretrained=False)
    net.load_state_dict(torch.load(inputs.backbone_weights(row["backbone"], work), map_location="cpu"))
    return Trunk(net).eval()


def prepare(row, side, work):
    if side == "ours":
        return
    import torch

    path = pathlib.Path(work) / f"{row['backbone']}.{row['size']}.onnx"
    if not path.exists():
        x = torch.from_numpy(photo(row["size"])).permute(0, 3, 1, 2).contiguous()
        torch.onnx.export(trunk(row, work), (x,), path, dynamo=False, input_names=["x"])


def start_ours(row, work):
    import physad

    net = physad.Features(row["backbone"], weights=inputs.given_weights(row["backbone"], work), layers=row["layers"], size=row["size"],
                          precision=row["precision"], context=inputs.context())
    x = photo(row["size"])

    def run():
        a, b = net.layer_outputs(x).values()
        return {"a": a[0], "b": b[0]}
    return run


def torch_frozen(row, work, x):
    import torch

    model, given = trunk(row, work), torch.from_numpy(x)
    if row["precision"] == "bf16":
        model, given = model.to(torch.bfloat16), given.to(torch.bfloat16)
    with torch.no_grad():
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(model, given)))

    def call():
        with torch.no_grad():
            return [y.float().numpy() for y in frozen(given)]
    return call


def onnx_runtime(row, work, x):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = inputs.THREADS
    session = ort.InferenceSession(str(pathlib.Path(work) / f"{row['backbone']}.{row['size']}.onnx"), options,
                                   providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def open_vino(row, work, x):
    import openvino as ov

    net = ov.Core().compile_model(str(pathlib.Path(work) / f"{row['backbone']}.{row['size']}.onnx"), "CPU", {
        "INFERENCE_PRECISION_HINT": row["precision"], "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": inputs.THREADS})
    return lambda: list(net(x).values())


def start(row, side, work):
    if side == "ours":
        return start_ours(row, work)
    x = np.ascontiguousarray(photo(row["size"]).transpose(0, 3, 1, 2))
    call = {"torch frozen": torch_frozen, "ONNX Runtime": onnx_runtime, "OpenVINO": open_vino}[side](row, work, x)

    def run():
        a, b = call()
        return {"a": a[0].transpose(1, 2, 0), "b": b[0].transpose(1, 2, 0)}
    return run


def compare(row, ours, peer):
    off = [float(np.linalg.norm(ours[k] - peer[k]) / np.linalg.norm(peer[k])) for k in ("a", "b")]
    return max(off) < (1e-4 if row["precision"] == "f32" else 0.03), f"layers off by {off[0]:.1e} and {off[1]:.1e}"
