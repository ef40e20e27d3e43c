-- SPDX-License-Identifier: Apache-2.0
-- Lua 5.4 and LuaJIT: lua test_lua.lua FOLDER; package.path and package.cpath are set by the caller.
local physad = require "physad"
local folder = assert(arg[1], "usage: lua test_lua.lua FOLDER")
local count, failed = 0, 0

local function test(name, body)
  count = count + 1
  local ok, said = xpcall(body, function(e) return type(e) == "table" and tostring(e.message) or debug.traceback(e) end)
  if not ok then
    failed = failed + 1
    io.stderr:write("FAILED ", name, ": ", tostring(said), "\n")
  end
end

local function raises(status, words, call, ...)
  local ok, e = pcall(call, ...)
  assert(not ok, "no error, want " .. status)
  assert(type(e) == "table", "the error is no table: " .. tostring(e))
  assert(e.status == status, "got " .. tostring(e.status) .. ": " .. tostring(e.message))
  assert(tostring(e):find(words, 1, true), tostring(e) .. " lacks " .. words)
end

local is_integer = math.type and function(x) return math.type(x) == "integer" end or function(x) return x % 1 == 0 end
local bytes = {}
for i = 1, 40 * 56 * 3 do bytes[i] = string.char((i * 37 + i * i % 251) % 256) end
local photo = physad.array("u8", { 40, 56, 3 }, table.concat(bytes))

test("arrays", function()
  local a = physad.array("f32", { 2, 3 }, { 1, 2, 3, 4, 5, 6.5 })
  assert(#a == 6 and a(1, 1) == 1 and a(2, 3) == 6.5 and a:dtype() == "f32")
  a:set(2, 1, 9)
  assert(table.concat(a:totable(), " "):gsub("%.0", "") == "1 2 3 9 5 6.5")
  assert(a:shape()[1] == 2 and a:shape()[2] == 3 and tostring(a) == "physad.array f32 2x3" and #a:tostring() == 24)
  local i = physad.array("i64", { 2 }, { 1, -2 })
  assert(is_integer(i(2)) and i(2) == -2)
  assert(photo:tostring() == table.concat(bytes) and is_integer(photo(1, 1, 1)))
  assert(physad.array("bool", { 1 })(1) == false)
  raises("PHYSAD_ERR_ARG", "places count from 1", a.get, a, 0, 1)
  raises("PHYSAD_ERR_ARG", "dimensions", a.get, a, 1)
  raises("PHYSAD_ERR_ARG", "read-only", photo.set, photo, 1, 1, 1, 0)
  raises("PHYSAD_ERR_ARG", "u8", physad.array, "u9", { 1 })
  raises("PHYSAD_ERR_SHAPE", "length", physad.array, "u8", { 5 }, "abc")
  raises("PHYSAD_ERR_SHAPE", "length", physad.array, "u8", { 5 }, { 1 })
  raises("PHYSAD_ERR_SHAPE", "extent", physad.array, "u8", { -1 })
  raises("PHYSAD_ERR_SHAPE", "too large", physad.array, "f64", { 2 ^ 40, 2 ^ 40 })
  raises("PHYSAD_ERR_SHAPE", "1 to 6", physad.array, "u8", {})
  raises("PHYSAD_ERR_SHAPE", "too large", physad.array, "f64", { 0, 2 ^ 62, 2 ^ 62 })
  assert(#physad.array("f64", { 0, 3 }) == 0)
  assert(physad.array("u8", { 2 }, { 0, 255 })(2) == 255 and physad.array("i16", { 1 }, { -32768 })(1) == -32768)
  for _, wrong in ipairs { 256, -1, 1.5, 0 / 0, 1 / 0 } do raises("PHYSAD_ERR_ARG", "no whole number", physad.array, "u8", { 1 }, { wrong }) end
  raises("PHYSAD_ERR_ARG", "no whole number", physad.array, "i16", { 1 }, { 32768 })
end)

test("context", function()
  local c = physad.context { threads = 2, seed = 7 }
  assert(c.threads == 2 and c.seed == 7 and is_integer(c.threads))
  raises("PHYSAD_ERR_ARG", "did you mean 'threads'", physad.context, { thread = 1 })
  raises("PHYSAD_ERR_ARG", "did you mean 'frame_rate'", physad.video, "none.mp4", { rate = 25 })
  raises("PHYSAD_ERR_ARG", "threads is string", physad.context, { threads = "x" })
  raises("PHYSAD_ERR_ARG", "integer", physad.context, { threads = 1.5 })
  raises("PHYSAD_ERR_ARG", "out of range", physad.context, { threads = 2 ^ 40 })
  c:close()
  c:close()
  assert(c:closed())
end)

test("images", function()
  local path = folder .. "/a.png"
  physad.write_image(path, photo)
  local image = physad.image(path)
  local pixels = image.pixels
  assert(pixels:tostring() == photo:tostring() and image.info.width == 56)
  image:close()
  assert(pixels:tostring() == photo:tostring()) -- the array keeps what it shows
  raises("PHYSAD_ERR_STATE", "closed", function() return image.pixels end)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  assert(physad.decode(text, { name = "x", channels = "gray" }).pixels:shape()[3] == 1)
  raises("PHYSAD_ERR_IO", "none.png", physad.image, folder .. "/none.png")
  raises("PHYSAD_ERR_FORMAT", "", physad.decode, "not a photo")
  raises("PHYSAD_ERR_ARG", "xyz", physad.write_image, folder .. "/a.xyz", photo)
  raises("PHYSAD_ERR_ARG", "physad.array", physad.write_image, folder .. "/a.png", {})
  raises("PHYSAD_ERR_ARG", "did you mean", physad.image, path, { chanels = 1 })
end)

test("data sets", function()
  local seen = 0
  physad.synth_rad(folder .. "/rad", { categories = "bowl", train_views = 20, test_views = 2, instances = 1, instance_views = 1,
    width = 64, progress = function(stage, done) seen = seen + (is_integer(done) and type(stage) == "string" and 1 or 0) end })
  assert(seen > 0)
  local rad = physad.dataset(folder .. "/rad")
  assert(rad:count() == rad.train:count() + rad.test:count() and rad.train:count() == 20 and rad.categories[1] == "bowl")
  local n = 0
  for i, sample in rad:iter() do
    n = n + 1
    assert(i == n and sample.index == i and sample.category == "bowl" and is_integer(sample.label))
  end
  assert(n == rad:count() and rad:sample(1).split == "train")
  assert(rad:read(1).pixels:shape()[1] == 64 and #rad:mask(1) == 64 * 64)
  local first, second = rad.train:split(0.25, 3)
  assert(first:count() + second:count() == 20)
  assert(rad:subset({ 3, 1 }):sample(1).path == rad:sample(3).path)
  raises("PHYSAD_ERR_ARG", "count from 1", rad.sample, rad, 0)
  raises("PHYSAD_ERR_ARG", "count from 1", rad.sample, rad, n + 1)
  raises("PHYSAD_ERR_ARG", "train", rad.select, rad, { split = "tests" })
  raises("PHYSAD_ERR_ARG", "unknown option", rad.select, rad, { categry = "bowl" })
  raises("PHYSAD_ERR_ARG", "", rad.select, rad, { category = "bowel" })
  raises("PHYSAD_ERR_IO", "nowhere", physad.dataset, folder .. "/nowhere")
  raises("PHYSAD_ERR_ARG", "want a function", physad.synth_rad, folder .. "/x", { progress = 3 })
  raises("PHYSAD_ERR_ARG", "", physad.files, {})
  raises("PHYSAD_ERR_ARG", "list of texts", physad.files, { {} })
end)

test("callbacks", function()
  local knobs = { categories = "bowl", train_views = 3, test_views = -1, defects = "", width = 32 }
  knobs.progress = function() error("from inside") end
  local ok, e = pcall(physad.synth_rad, folder .. "/b", knobs)
  assert(not ok and tostring(e):find("from inside", 1, true))
  knobs.progress = function() error({ mine = 1 }) end
  ok, e = pcall(physad.synth_rad, folder .. "/b", knobs)
  assert(not ok and type(e) == "table" and e.mine == 1)
  knobs.progress = function() return true end
  raises("PHYSAD_ERR_CANCELLED", "", physad.synth_rad, folder .. "/b", knobs)
  local s = physad.scores()
  s:add(0, 0):add(1, 1)
  local ended, adding = nil, nil
  s:measure { progress = function() -- the accumulator is in use: neither closed nor changed
    ended, adding = pcall(s.close, s), pcall(s.add, s, 1, 1)
  end }
  assert(ended ~= true and adding ~= true)
  assert(s:count() == 2)
end)

test("metrics", function()
  local s = physad.scores()
  for i = 1, 20 do s:add(i / 20, i > 12 and 1 or 0, { type = i > 12 and "dent" or nil, group = "g" .. i }) end
  local m = s:measure { replicates = 50 }
  assert(m.auroc.value == 1 and m.auroc.lower == 1)
  raises("PHYSAD_ERR_NUMERIC", "", s.add, s, 0 / 0, 1)
  raises("PHYSAD_ERR_ARG", "label", s.add, s, 1, 2)
  raises("PHYSAD_ERR_ARG", "did you mean", s.measure, s, { replicate = 1 })
  local _, _, curve = s:measure { replicates = -1 }
  local rows, columns = curve:shape()[1], curve:shape()[2]
  local flat = curve:totable()
  assert(rows == 21 and columns == 5 and flat[1] == math.huge and flat[2] == 0 and flat[3] == 0)
  assert(flat[8 * 5 + 1] == 13 / 20 and flat[8 * 5 + 2] == 0 and flat[8 * 5 + 3] == 1 and flat[8 * 5 + 4] == 1) -- the eight found
  assert(flat[20 * 5 + 2] == 1 and flat[20 * 5 + 3] == 1)
  raises("PHYSAD_ERR_ARG", "read-only", curve.set, curve, 1, 1)
  s:close()
  raises("PHYSAD_ERR_ARG", "unknown option 'contxt': want context", physad.scores, { contxt = 1 })
  raises("PHYSAD_ERR_ARG", "unknown option 'threads': want context", physad.pixels, { threads = 1 })
  raises("PHYSAD_ERR_ARG", "unknown option 'map': want context", physad.load_bank, folder .. "/none", { map = true })
  raises("PHYSAD_ERR_ARG", "unknown option 'sh': want context", physad.scene, folder .. "/none", { sh = 1 })
  raises("PHYSAD_ERR_STATE", "closed", s.count, s)
end)

test("banks", function()
  local b = physad.bank(2):add(physad.array("f32", { 3, 2 }, { 0, 0, 3, 4, 10, 0 }))
  local distances, indices = b:search(physad.array("f32", { 1, 2 }, { 3, 4 }), 2)
  assert(indices[1] == 2 and indices[2] == 1 and distances[1] == 0 and distances[2] == 5 and is_integer(indices[1]))
  local picks = b:coreset { count = 2, ratio = 0 }
  assert(#picks == 2 and b:rows():shape()[1] == 3 and b.dim == 2)
  raises("PHYSAD_ERR_SHAPE", "", b.add, b, physad.array("f32", { 1, 3 }))
  raises("PHYSAD_ERR_DTYPE", "", b.add, b, physad.array("f64", { 1, 2 }))
  raises("PHYSAD_ERR_STATE", "", physad.bank(2).search, physad.bank(2), physad.array("f32", { 1, 2 }))
end)

test("features", function()
  local f = physad.features { weights = "random:1", height = 32 }
  local out = f(physad.array("f32", { 1, 32, 32, 3 }))
  assert(out:shape()[1] == 1 and f.backbone == "efficientnet-lite0")
  raises("PHYSAD_ERR_ARG", "efficientnet-lite0", physad.features, { backbone = "eficientnet-lite0" })
  assert(physad.transform { height = 16 }(photo):shape()[3] == 3)
end)

test("detectors", function()
  local rad = physad.dataset(folder .. "/rad")
  local det = physad.detector("patchcore", { weights = "random:1", input = 64, alpha = 0.3, coreset_ratio = 0.25 })
  assert(det:get("coreset_ratio") == "0.25" and not det.is_fitted and det.method == "patchcore")
  raises("PHYSAD_ERR_STATE", "fit", det.score, det, photo)
  raises("PHYSAD_ERR_ARG", "stop or skip", det.fit, det, rad, { on_error = "go on" })
  det:fit(rad, { on_error = "skip", batch = 3 })
  assert(#det:skipped() == 0)
  local r = det:score(rad:sample(1).file)
  assert(r.score == det:score(rad:read(1)).score and r.score == det:score(rad:read(1).pixels).score)
  assert(r.is_anomalous == (r.score > r.threshold) and r.map:shape()[1] == 64 and r.p_value > 0)
  local near = r:nearest(5, 7)
  local regions = r:regions(rad:read(1).pixels)
  assert(#regions >= 1 and regions[1].peak > regions.level and regions[1].left <= regions[1].peak_x)
  local types = physad.types()
  assert(#types.names == 4 and math.abs(types:tell(regions)[regions[1].kind] - regions[1][regions[1].kind]) < 1e-12)
  types:add("scar", regions)
  assert(types:tell(regions).scar == 1)
  assert(near.path == det:training()[near.sample])
  det:save(folder .. "/m.physad")
  local again = physad.load(folder .. "/m.physad")
  assert(again:score(rad:sample(1).file).score == r.score)
  local n = 0
  for i, result in det:scores(rad.test) do n = n + (result.score == result.score and i > 0 and 1 or 0) end
  assert(n == rad.test:count())
  assert(det:threshold().groups > 0)
  local jpeg = folder .. "/scaled.jpg"
  physad.write_image(jpeg, rad:read(1).pixels)
  local scaled = physad.detector("patchcore", { weights = "random:1", input = 64, calibration = 0, jpeg_scale = 2 })
  scaled:fit(rad)
  local small = scaled:score(jpeg)
  assert(small.map:shape()[1] == 32 and small.score == scaled:score(physad.image(jpeg, { jpeg_scale = 2 })).score)
  assert(scaled:score_batch({ jpeg })[1].score == small.score and det:score(jpeg).map:shape()[1] == 64)
  again:close()
  raises("PHYSAD_ERR_STATE", "closed", again.score, again, photo)
  raises("PHYSAD_ERR_ARG", "patchcore", physad.detector, "patchcor")
  raises("PHYSAD_ERR_ARG", "coreset_ratio", physad.detector, "patchcore", { coreset_ration = 1 })
  raises("PHYSAD_ERR_IO", "", physad.load, folder .. "/none")
  local methods = physad.methods()
  assert(#methods > 1 and #physad.method("patchcore").options > 3 and #physad.backbones() > 3)
  print("score", string.format("%.17g", r.score))
end)

test("pixels", function()
  local p = physad.pixels()
  local map = physad.array("f32", { 2, 3 }, { 0, 1, 2, 3, 4, 5 })
  p:add(map, physad.array("bool", { 2, 3 }, { false, false, false, false, true, true }), { group = "a" })
  p:add(map)
  assert(#p:measure { replicates = -1 } == 0 and p:count() == 12)
  local m = p:measure { replicates = -1, limits = { 0.25 } }
  assert(m.auroc.value == 0.9 and math.abs(m["aupro@0.25"].value - 0.6) < 1e-12) -- 18 of 20 pairs; by hand
  local again = physad.pixels()
  again:merge(p)
  assert(again:count() == 12 and again:measure({ replicates = -1 }).ap.value == m.ap.value)
  raises("PHYSAD_ERR_SHAPE", "", p.add, p, map, physad.array("bool", { 3, 2 }))
  raises("PHYSAD_ERR_DTYPE", "", p.add, p, physad.array("f64", { 2, 3 }))
  raises("PHYSAD_ERR_NUMERIC", "", p.add, p, physad.array("f32", { 1, 2 }, { 0, 0 / 0 }))
  raises("PHYSAD_ERR_ARG", "saturation_area", p.add, p, map, nil, { saturation = 1 })
  raises("PHYSAD_ERR_ARG", "physad.array", p.add, p, "map")
end)

test("types", function()
  local s = physad.scores()
  s:add(1, 1, { type = "dent", type_scores = { dent = 0.9, hole = 0.1 } })
  s:add(1, 1, { type = "hole", type_scores = { dent = 0.2, hole = 0.8 } })
  s:add(0, 0, { type_scores = { dent = 0, hole = 0 } })
  local _, types = s:measure { replicates = -1 }
  assert(types.dent.vs_good.value == 1 and types.dent.vs_rest.value == 1 and types.hole.vs_rest.value == 1)
  raises("PHYSAD_ERR_ARG", "number", s.add, s, 1, 1, { type_scores = { dent = "x" } })
  raises("PHYSAD_ERR_ARG", "names as keys", s.add, s, 1, 1, { type_scores = { 1, 2 } })
end)

test("layers", function()
  local f = physad.features { weights = "random:1", height = 32 }
  local images = physad.array("f32", { 2, 32, 32, 3 })
  local names, shapes = f:layers()
  local outs = f:layer_outputs(images)
  assert(#names > 0)
  for _, name in ipairs(names) do
    local shape = outs[name]:shape()
    assert(shape[1] == 2 and shape[2] == shapes[name][1] and shape[4] == shapes[name][3])
    local first = outs[name]:totable()[1]
    assert(first == first and first == outs[name]:get(2, 1, 1, 1)) -- equal photos, equal outputs
  end
  raises("PHYSAD_ERR_SHAPE", "", f.layer_outputs, f, physad.array("f32", { 1, 16, 16, 3 }))
end)

test("batches, videos, pages", function()
  local rad = physad.dataset(folder .. "/rad")
  local det = physad.load(folder .. "/m.physad")
  local single, list = {}, {}
  for i = 1, rad.test:count() do
    single[i], list[i] = det:score(rad.test:read(i)).score, rad.test:sample(i).file
  end
  for i, result in ipairs(det:score_batch(list)) do assert(result.score == single[i]) end
  for i, result in ipairs(det:score_batch(rad.test)) do assert(result.score == single[i] and result.map:shape()[1] == 64) end
  local n = 0
  for i, result in det:scores(list) do
    n = n + 1
    assert(i == n and result.score == single[i])
  end
  assert(n == #list and #det:score_batch {} == 0)
  raises("PHYSAD_ERR_ARG", "physad.array", det.score_batch, det, { photo, 3 })
  raises("PHYSAD_ERR_DTYPE", "", det.score_batch, det, { photo, physad.array("f64", { 4, 4, 3 }) })
  local picture = det:score(list[1]):overlay(list[1], rad.test:mask(1))
  assert(picture:shape()[2] == 2 * 64 + 8 and picture:dtype() == "u8")

  physad.synth_phys(folder .. "/phys", { categories = "ball", train_videos = 1, test_videos = 1, defect_videos = -1, frames = 16,
    width = 64, height = 48, flags = 4 })
  local clips = physad.dataset(folder .. "/phys")
  local video = physad.video(clips.test:sample(1).file)
  local r, greatest = det:score(video, "max"), -math.huge
  for i, pixels in video:frames() do
    local score = det:score(pixels).score
    assert(r.frames[i] == score)
    greatest = math.max(greatest, score)
  end
  assert(r.verdict == "" and not pcall(function() return r.worst end))
  raises("PHYSAD_ERR_ARG", "a physad.result has no 'is_anomolous'", function() return r.is_anomolous end)

  physad.synth_phys(folder .. "/swings", { categories = "pendulum", train_videos = 3, test_videos = 1, defect_videos = -1, frames = 16 })
  clips = physad.dataset(folder .. "/swings")
  video = physad.video(clips.test:sample(1).file)
  local moving = physad.detector("motion-bank", { calibration = 0 })
  moving:fit(clips)
  local whole = moving:score(video)
  assert(moving:score(clips.test:sample(1).file).score == whole.score)
  local stream = moving:stream { frame_rate = video.info.frame_rate }
  assert(stream.latency > 0)
  for take = 1, 2 do -- two takes, of the second its frames' times
    local grey, all = physad.video(clips.test:sample(1).file, { channels = "gray" }), {}
    for number, pixels in grey:frames() do
      for _, ready in ipairs(stream:push(pixels, take == 2 and number / 30 or nil)) do
        assert(ready.frame == #all + 1)
        all[#all + 1] = ready.score
      end
    end
    local last = stream:finish()
    for _, score in ipairs(last.frames or {}) do all[#all + 1] = score end
    assert(#all == 16 and last.score == whole.score and last.verdict == whole.verdict)
    for i = 1, 16 do assert(all[i] == whole.frames[i]) end
  end
  raises("PHYSAD_ERR_SHAPE", "no frame came", stream.finish, stream)
  raises("PHYSAD_ERR_ARG", "top, max or mean", moving.stream, moving, { pool = "all" })
  raises("PHYSAD_ERR_UNSUPPORTED", "maps of frames", whole.frame_map, whole, 1)
  raises("PHYSAD_ERR_ARG", "frame 17 of 16", whole.frame_map, whole, 17)
  local rules = moving.rules
  assert(rules:find('"rule": "speed"', 1, true))
  moving:set_rules(rules)
  assert(moving.rules == rules)
  raises("PHYSAD_ERR_FORMAT", "", moving.set_rules, moving, "{}")
  raises("PHYSAD_ERR_UNSUPPORTED", "no rules", function() return det.rules end)
  moving:close()
  stream:close()
  assert(#r.frames == 16 and r.score == greatest and r.is_anomalous == nil and det:score(list[1]).frames == nil)
  raises("PHYSAD_ERR_ARG", "top, max or mean", det.score, det, video, "median")

  local results = physad.evaluate(rad, "patchcore", { settings = { "weights=random:1", "input=64", "alpha=0.3" }, replicates = -1, gallery = 2 })
  assert(results:row(1).method == "patchcore" and results.json:find("image_auroc", 1, true) and results.csv:find("patchcore", 1, true))
  local value = results:metric(1, "image_auroc").value
  assert(results:count() == 1)
  assert(value >= 0 and value <= 1 and #results:samples(1) == rad.test:count() and results:samples(1)[1].path)
  results:to_html(folder .. "/page", { title = "bowls" })
  local file = assert(io.open(folder .. "/page/report.html"))
  assert(file:read("*a"):find("<title>bowls</title>", 1, true))
  file:close()
  raises("PHYSAD_ERR_ARG", "image_auroc", results.metric, results, 1, "image_aucor")
  raises("PHYSAD_ERR_ARG", "list of texts", physad.evaluate, rad, 3)
end)

test("scenes", function()
  local seen = 0
  local scene = physad.fit_scene(folder .. "/rad/bowl", { steps = 4, random_points = 200, background = { 1, 1, 1 },
    progress = function() seen = seen + 1 end })
  assert(seen > 0 and scene.cameras == 20 and scene.quality.steps == 4 and is_integer(scene.quality.gaussians))
  local camera, name = scene:camera(1)
  assert(camera.width == 64 and #camera.rotation == 9 and name)
  local colour, depth, opacity = scene:render(1)
  assert(colour:shape()[3] == 3 and depth:shape()[1] == 64 and opacity(1, 1) <= 1)
  scene:save(folder .. "/s.ply")
  local again = physad.scene(folder .. "/s.ply")
  assert(again:render(camera):tostring() == colour:tostring() and again.cameras == 0)
  camera.width = 32
  assert(again:render(camera, { dtype = "u8", background = { 0, 0, 1 } }):shape()[2] == 32)
  camera.width = 0
  raises("PHYSAD_ERR_ARG", "", again.render, again, camera)
  camera.wide = 1
  raises("PHYSAD_ERR_ARG", "did you mean", again.render, again, camera)
  raises("PHYSAD_ERR_ARG", "background", again.render, again, scene:camera(1), { background = { 1 } })
  raises("PHYSAD_ERR_IO", "", physad.scene, folder .. "/none.ply")
  local locator = physad.locator(scene, folder .. "/rad/bowl", { weights = "random:1", least_fit = -1, max_side = 48 })
  scene:close() -- the locator still sees it
  local poses = locator:find(physad.dataset(folder .. "/rad").train:sample(2).file)
  assert(#poses >= 1 and #poses <= 3 and #poses[1].camera.rotation == 9 and poses[1].view >= 1 and is_integer(poses[1].view))
  raises("PHYSAD_ERR_STATE", "closed", scene.render, scene, camera)
  raises("PHYSAD_ERR_ARG", "did you mean", physad.locator, again, folder .. "/rad/bowl", { leastfit = 1 })
end)

test("log", function()
  local path = folder .. "/rad/bowl/transforms.json"
  local file = assert(io.open(path))
  local poses = file:read("*a")
  file:close()
  local function write(text)
    local out = assert(io.open(path, "w"))
    out:write(text)
    out:close()
  end
  local said, usual = {}, physad.log
  write((poses:gsub("train/good/000", "train/good/gone", 1)))
  function physad.log(level, text) said[#said + 1] = level .. ": " .. text end
  local options = { steps = 1, random_points = 200 }
  local ok, why = pcall(physad.fit_scene, folder .. "/rad/bowl", options)
  function physad.log() error("lost") end
  local also = pcall(physad.fit_scene, folder .. "/rad/bowl", options)
  physad.log = nil
  local silent = pcall(physad.fit_scene, folder .. "/rad/bowl", options)
  physad.log = usual
  write(poses)
  assert(ok and also and silent, tostring(why))
  local lines = table.concat(said, "\n")
  assert(lines:find("warning: .-gone.png has a pose and is not there") and lines:find("info: "), lines)
end)

test("gaussians", function()
  local n, numbers = 20, { xyz = {}, log_scale = {}, quaternion = {}, opacity = {}, harmonics = {} }
  for i = 1, n do
    for k = 1, 3 do
      numbers.xyz[3 * i - 3 + k] = math.sin(7 * i + k) / 2
      numbers.log_scale[3 * i - 3 + k] = -2
      numbers.harmonics[3 * i - 3 + k] = math.cos(3 * i + k) / 2
    end
    for k = 1, 4 do numbers.quaternion[4 * i - 4 + k] = k == 1 and 1 or 0.1 * k end
    numbers.opacity[i] = 1
  end
  local given = {
    xyz = physad.array("f32", { n, 3 }, numbers.xyz), log_scale = physad.array("f32", { n, 3 }, numbers.log_scale),
    quaternion = physad.array("f32", { n, 4 }, numbers.quaternion), opacity = physad.array("f32", { n }, numbers.opacity),
    harmonics = physad.array("f32", { n, 1, 3 }, numbers.harmonics),
  }
  local g = physad.gaussians(given)
  assert(g:count() == n and g:arrays().xyz:tostring() == given.xyz:tostring())
  local camera = { rotation = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, translation = { 0, 0, 3 }, fx = 30, fy = 30, cx = 12, cy = 10, width = 24, height = 20 }
  local splat = physad.splat()
  raises("PHYSAD_ERR_STATE", "no picture", splat.backward, splat, {})
  local values = physad.array("f32", { n, 2 }, (function()
    local v = {}
    for i = 1, 2 * n do v[i] = i % 2 end
    return v
  end)())
  local seen = splat:forward(g, camera, { values = values, background = { 0, 0, 1 } })
  assert(seen.colour:shape()[3] == 3 and seen.channels:shape()[3] == 2 and seen.depth(10, 12) > seen.opacity(10, 12))
  assert(math.abs(seen.channels(10, 12, 1) - seen.opacity(10, 12)) < 1e-6 and seen.channels(10, 12, 2) == 0)
  raises("PHYSAD_ERR_SHAPE", "values: got (20), want (20,n)", splat.forward, splat, g, camera, { values = given.opacity })
  raises("PHYSAD_ERR_ARG", "values is table, want a physad.array", splat.forward, splat, g, camera, { values = { 1, 2 } })
  raises("PHYSAD_ERR_ARG", "gaussians is userdata, want physad.gaussians", splat.forward, splat, given.xyz, camera)
  raises("PHYSAD_ERR_ARG", "camera is nil", splat.forward, splat, g)
  for words, background in pairs { ["background is number, want a table"] = 3, ["background has 2 numbers, want 3"] = { 1, 2 } } do
    local done, why = pcall(splat.forward, splat, g, camera, { background = background })
    assert(not done and tostring(why):find(words, 1, true), why)
  end
  raises("PHYSAD_ERR_ARG", "rotation", splat.forward, splat, g, { width = 24, height = 20, fx = 20, fy = 20, cx = 12, cy = 10,
    rotation = { 0, 0, 0, 0, 0, 0, 0, 0, 0 }, translation = { 0, 0, 0 } })
  raises("PHYSAD_ERR_STATE", "no picture", splat.backward, splat, {}) -- the one before is gone
  seen = splat:forward(g, camera, { values = values, background = { 0, 0, 1 } })
  local back = splat:backward { colour = seen.colour }
  assert(#back.pose == 6 and back.xyz:shape()[1] == n and back.values:shape()[2] == 2 and back.harmonics:shape()[2] == 1)
  local moved = physad.move_camera(camera, { 1, 0, 0, 0, 0, 0 })
  local made, why = pcall(physad.move_camera, camera, { 1, 0 })
  assert(not made and tostring(why):find("has 2 numbers, want 6", 1, true), why)
  assert(moved.translation[1] == 1 and moved.width == 24)
  g:set { opacity = physad.array("f32", { n }, numbers.opacity) }
  raises("PHYSAD_ERR_STATE", "changed after", splat.backward, splat, {})
  raises("PHYSAD_ERR_SHAPE", "want (20,4)", g.set, g, { quaternion = given.xyz })
  raises("PHYSAD_ERR_ARG", "unknown option", g.set, g, { scale = given.xyz })
  raises("PHYSAD_ERR_ARG", "harmonics is NULL", physad.gaussians, { xyz = given.xyz, log_scale = given.log_scale,
    quaternion = given.quaternion, opacity = given.opacity })
  local scene = g:scene()
  if _VERSION == "Lua 5.4" then assert(#g == n and #scene == n) end -- LuaJIT's # asks no table
  assert(scene:count() == n and physad.gaussians(scene):count() == n and scene:render(camera):shape()[1] == 20)
end)

test("groups", function()
  local det = physad.load(folder .. "/m.physad")
  local a, b = det:score(photo), det:score(physad.array("u8", { 40, 56, 3 }, string.rep("k", 40 * 56 * 3)))
  local group = physad.group { a, b:strip() }
  assert(group.score == math.max(a.score, b.score) and #group.places == 0)
  assert(group.is_anomalous == (group.score > a.threshold))
  assert(b.map:shape()[1] == 40)
  raises("PHYSAD_ERR_UNSUPPORTED", "", function() return b:strip().map end)
  raises("PHYSAD_ERR_ARG", "at least one", physad.group, {})
  local made, why = pcall(physad.group, { a, 3 })
  assert(not made and tostring(why):find("result 2 is number, want a physad result", 1, true), why)
end)

test("wrong kinds are tables too", function()
  local core = require "physad.core"
  raises("PHYSAD_ERR_ARG", "", core.bank_new, nil, "x", nil)
  raises("PHYSAD_ERR_ARG", "want", core.bank_new)
  raises("PHYSAD_ERR_ARG", "string", physad.load, 3)
  raises("PHYSAD_ERR_ARG", "number", photo.get, photo, "a", 1, 1)
  raises("PHYSAD_ERR_ARG", "integer", photo.get, photo, 1.5, 1, 1)
  raises("PHYSAD_ERR_ARG", "string", physad.array, {}, { 1 })
  raises("PHYSAD_ERR_ARG", "table", physad.array, "u8", 3)
  raises("PHYSAD_ERR_ARG", "number", physad.array, "f32", { 1 }, { {} })
end)

test("memory", function()
  collectgarbage()
  local c = physad.context()
  for _ = 1, 200 do
    local s = physad.scores { context = c }
    s:add(1, 1)
  end
  collectgarbage()
  collectgarbage()
  assert(c.memory_used == 0, "left: " .. tostring(c.memory_used))
end)

if _VERSION == "Lua 5.4" then -- LuaJIT cannot read this syntax
  local body = load([[
    local physad, folder = ...
    local kept
    do
      local det <close> = physad.load(folder .. "/m.physad")
      kept = det
      assert(det.is_fitted)
    end
    assert(kept:closed())
    local rad = physad.dataset(folder .. "/rad")
    assert(#rad > 0 and #rad == rad:count())
  ]])
  test("to be closed", function() body(physad, folder) end)
end

print(string.format("%d tests, %d failed", count, failed))
os.exit(failed == 0 and 0 or 1, true) -- closes the state: what is left is a leak
