# SPDX-License-Identifier: Apache-2.0
"""One quick start in Python, in Lua and with the command, each in a process of its own and outside of the source tree: one model file and
one score per photo, to the bit."""
import json
import os
import pathlib
import subprocess

PYTHON = """
import sys
import physad
data, model, *options = sys.argv[1:]
photos = physad.Dataset(data)
detector = physad.Detector("patchcore", **dict(option.split("=") for option in options)).fit(photos)
detector.save(model)
detector = physad.load(model)
for sample in photos.test:
    result = detector.score(sample.file)
    print(sample.path, result.score.hex(), result.is_anomalous, sep="\\t")
"""
LUA = """
local physad = require "physad"
local data, model, options = arg[1], arg[2], {}
for i = 3, #arg do options[arg[i]:match("^[^=]+")] = arg[i]:match("=(.*)") end
local photos = physad.dataset(data)
physad.detector("patchcore", options):fit(photos):save(model)
local detector <close> = physad.load(model)
for _, sample in photos.test:iter() do
  local result = detector:score(sample.file)
  print(string.format("%s\\t%a\\t%s", sample.path, result.score, result.is_anomalous))
end
"""


def run(*args, **more):
    done = subprocess.run([str(arg) for arg in args], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def lines(text):
    """{path: (score, verdict)} of what a script printed."""
    verdicts = {"None": None, "nil": None, "True": True, "true": True, "False": False, "false": False}
    found = {}
    for line in text.splitlines():
        path, score, verdict = line.split("\t")
        found[path] = float.fromhex(score), verdicts[verdict]
    return found


def compare(data, folder, options, *, python, command, lua=None, env=None):
    """{path: (score, verdict)} that all agree on. lua: (program, environment)."""
    folder = pathlib.Path(folder)
    env = {**os.environ, **(env or {}), "OMP_WAIT_POLICY": "passive"}
    (folder / "start.py").write_text(PYTHON)
    (folder / "start.lua").write_text(LUA)
    found = {"python": lines(run(python, "start.py", data, "python.physad", *options, cwd=folder, env=env))}
    if lua:
        program, more = lua
        found["lua"] = lines(run(program, "start.lua", data, "lua.physad", *options, cwd=folder, env={**env, **more}))
    settings = [part for option in options for part in ("--set", option)]
    run(command, "fit", data, "--method", "patchcore", *settings, "-o", "command.physad", cwd=folder, env=env)
    files = {os.path.join(data, path): path for path in found["python"]}
    answer = json.loads(run(command, "predict", "command.physad", *files, "--json", "-", cwd=folder, env=env))
    found["command"] = {files[sample["path"]]: (sample["score"], sample["anomalous"]) for sample in answer["samples"]}
    models = {name: (folder / f"{name}.physad").read_bytes() for name in found}
    for name in found:
        assert models[name] == models["python"], f"the model of {name} is another one than Python's"
        assert found[name] == found["python"], f"{name} scores otherwise than Python"
    assert found["python"]
    return found["python"]
