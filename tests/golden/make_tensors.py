#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/tensors/: checkpoints as PyTorch writes them, and beside each NAME the arrays that PyTorch reads from it,
written by the safetensors package as NAME.expected.safetensors. Needs torch, numpy, safetensors; running the tests needs none."""

import collections
import inspect
import json
import pathlib
import warnings
import zipfile

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

OUT = pathlib.Path(__file__).parent / "tensors"


def numbers(*shape):
    return torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape) / 8 - 3


def expect(name, tensors, metadata=None):
    plain = {k: v.detach().clone().contiguous() for k, v in tensors.items()}
    safetensors.torch.save_file(plain, OUT / (name + ".expected.safetensors"), metadata=metadata)


def every_kind():
    base = numbers(4, 6)
    d = collections.OrderedDict()
    d["f32"] = base
    d["transposed"] = numbers(2, 3, 4).permute(2, 0, 1)
    d["hwio.weight"] = numbers(3, 3, 2, 5).permute(3, 2, 0, 1)
    d["row"] = base[2]
    d["column"] = base[:, 1]
    d["window"] = base[1:3, 2:5]
    d["expanded"] = numbers(1, 3).expand(4, 3)
    d["parameter"] = nn.Parameter(numbers(3))
    d["f64"] = numbers(3).double() * 1e-300
    d["f16"] = torch.tensor([0.0, -0.0, 1.0, 65504.0, 6e-8, -6e-5, float("inf"), float("nan")]).half()
    d["bf16"] = torch.tensor([0.0, 1.0, -3.140625, 1e30, float("-inf")]).bfloat16()
    d["i64"] = torch.tensor([-(2**62), 0, 2**62 + 1])
    d["i32"] = torch.tensor([-(2**31), 7, 2**31 - 1], dtype=torch.int32)
    d["i16"] = torch.tensor([-32768, 32767], dtype=torch.int16)
    d["i8"] = torch.tensor([-128, 127], dtype=torch.int8)
    d["u8"] = torch.tensor([0, 255, 3], dtype=torch.uint8)
    d["bool"] = torch.tensor([True, False, True])
    d["num_batches_tracked"] = torch.tensor(12345678901)
    d["empty"] = torch.zeros(0, 3)
    d["nested"] = {"a": numbers(2), "deeper": {"b": numbers(1, 2)}, "list": [numbers(1), numbers(2)]}
    d[7] = numbers(1)
    d["version"] = 3
    d["note"] = "grün"
    return d


def flat(d, prefix=""):
    out = {}
    items = d.items() if isinstance(d, dict) else enumerate(d)
    for k, v in items:
        name = f"{prefix}{k}"
        if isinstance(v, torch.Tensor):
            out[name] = v
        elif isinstance(v, (dict, list, tuple)):
            out.update(flat(v, name + "."))
    return out


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4, 2)
        self.register_buffer("kept", numbers(2))
        self.register_buffer("forgotten", numbers(3), persistent=False)
        self.scale = nn.Parameter(numbers(1))

    def forward(self, x):
        x = self.features(x).mean([2, 3])
        return self.head(x) * self.scale + self.kept


def rewrite(path, out, swap=False):
    """The zip container without code; with `swap`, as a big-endian machine writes it."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as target:
        for info in source.infolist():
            data = source.read(info)
            if "/code/" in info.filename:
                continue
            if not swap:
                target.writestr(zipfile.ZipInfo(info.filename), data)
                continue
            if info.filename.endswith("/byteorder"):
                data = b"big"
            elif "/data/" in info.filename:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            target.writestr(zipfile.ZipInfo(info.filename), data)


def main():
    OUT.mkdir(exist_ok=True)
    torch.manual_seed(1)
    kinds = every_kind()
    for name, options in {
        "kinds-legacy.pth": {"_use_new_zipfile_serialization": False},
        "kinds-zip.pth": {},
        "kinds-legacy-p4.pth": {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
        "kinds-zip-p5.pth": {"pickle_protocol": 5},
    }.items():
        torch.save(kinds, OUT / name, **options)
        expect(name, flat(torch.load(OUT / name, weights_only=False)))  # just written here

    # The legacy container takes the source text of the classes along; the files are to hold none.
    keep, inspect.getsourcelines = inspect.getsourcelines, None
    warnings.simplefilter("ignore")
    net = Net().eval()
    torch.save(net.state_dict(), OUT / "state.pth", _use_new_zipfile_serialization=False)
    expect("state.pth", net.state_dict())
    for name, zipped in {"module-legacy.pth": False, "module-zip.pth": True}.items():
        torch.save(net, OUT / name, _use_new_zipfile_serialization=zipped)
        expect(name, net.state_dict())
    inspect.getsourcelines = keep
    script = torch.jit.script(net.half())
    buffer = OUT / "buffer.tmp"
    torch.jit.save(script, buffer)
    expect("script.pt", torch.jit.load(buffer).state_dict() | {"forgotten": net.forgotten})
    rewrite(buffer, OUT / "script.pt")
    net.float()

    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(1, 3, 5, 5)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "global_step": 17, "pytorch-lightning_version": "2.6.6", "state_dict": net.state_dict(),
                "loops": {"fit_loop": {"state_dict": {}}}, "callbacks": {("tuple", 1): {"best": torch.ones(2)}},
                "optimizer_states": [optimizer.state_dict()], "lr_schedulers": [],
                "hyper_parameters": {"lr": 1e-3, "layers": ["a", "b"]}}, OUT / "lightning.ckpt")
    expect("lightning.ckpt", net.state_dict())
    torch.save(numbers(2, 2).t(), OUT / "tensor.pth")
    expect("tensor.pth", {"tensor": numbers(2, 2).t()})
    torch.save({"u16": torch.tensor([1, 65535], dtype=torch.uint16), "complex": torch.zeros(2, dtype=torch.complex64),
                "sparse": torch.eye(3).to_sparse(), "f8": torch.ones(3).to(torch.float8_e4m3fn), "many": torch.zeros(1, 1, 1, 1, 1, 1, 1)},
               OUT / "odd.pth")
    expect("odd.pth", {"u16": torch.tensor([1, 65535], dtype=torch.uint16)})
    torch.save({"a": numbers(3, 2).t(), "b": numbers(5)}, buffer)
    rewrite(buffer, OUT / "big-endian.pth", swap=True)
    expect("big-endian.pth", torch.load(OUT / "big-endian.pth", weights_only=True))
    buffer.unlink()

    arrays = {"a": np.arange(6, dtype="<f4").reshape(2, 3), "b/c": np.arange(4, dtype="<i8"), "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
              "big": np.arange(3, dtype=">f4")}
    np.savez(OUT / "stored.npz", **arrays)
    np.savez_compressed(OUT / "deflated.npz", **arrays)
    for name in ("stored.npz", "deflated.npz"):
        loaded = np.load(OUT / name)
        expect(name, {k: torch.from_numpy(np.ascontiguousarray(loaded[k], dtype=loaded[k].dtype.newbyteorder("="))) for k in loaded})
    np.save(OUT / "one.npy", arrays["a"])
    expect("one.npy", {"array": torch.from_numpy(arrays["a"])})

    safetensors.torch.save_file({"z": numbers(2, 3), "a": torch.tensor([1, -2]), "h": torch.tensor(1.5).half(), "none": torch.zeros(0, 4)},
                                OUT / "plain.safetensors", metadata={"who": "me", "quote": 'a "b" \\ \n ü'})
    safetensors.torch.save_file({"f8": torch.ones(4).to(torch.float8_e5m2), "c": torch.zeros(1, dtype=torch.complex64), "ok": numbers(1)},
                                OUT / "odd.safetensors")
    versions = {"torch": torch.__version__, "numpy": np.__version__, "safetensors": safetensors.__version__}
    (OUT / "versions.json").write_text(json.dumps(versions, indent=2) + "\n")


if __name__ == "__main__":
    main()
