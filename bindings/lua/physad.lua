-- SPDX-License-Identifier: Apache-2.0
--- Tells whether a thing is defective by comparing it with how normal things look and behave.
--
--   local physad = require "physad"
--   local det <close> = physad.load("tiles.physad")
--   local r = det:score("photo.jpg")
--   print(r.score, r.is_anomalous)
--
-- Indices count from 1. What can be counted answers to #object, but with LuaJIT only to object:count(). Options are tables; an unknown
-- one is an error. Errors are tables with `status` (such as "PHYSAD_ERR_IO"), `code` and `message`, which print as their message. Objects
-- are closed by :close(), by `<close>` (5.4), or by the collector.
-- A photo is a path, a physad.image(), or an array: physad.array("u8", {height, width, 3}, bytes); the string is not copied.
local core = require "physad.core"

local physad = { array = core.array, version = core.version(), build_info = core.build_info() }
local unpack = table.unpack or unpack

-- What the library has to say, after the call in which it said so: level is "error", "warning" or "info".
function physad.log(level, text)
  if level ~= "info" then io.stderr:write("physad: ", text, "\n") end
end
local levels = { "error", "warning" }
core.set_log(function(level, text) if physad.log then physad.log(levels[level] or "info", text) end end)

local error_type = {}
error_type.__index = error_type
error_type.__tostring = function(e) return e.message end

local function fail(message, ...)
  error(setmetatable({ status = "PHYSAD_ERR_ARG", code = -1, message = string.format(message, ...) }, error_type), 0)
end

local default_context
local function handle_of(context)
  if context then return context.h end
  default_context = default_context or core.context_new(nil)
  return default_context
end

-- A class: methods, and getters that look like fields. Another field is an error: a misspelt `is_anomalous` would be nil, and pass.
local function class(name, methods, getters)
  local meta = { methods = methods }
  function methods.close(self) core.close(self.h) end
  function methods.closed(self) return core.closed(self.h) end
  function meta.__index(self, key)
    local method = methods[key]
    if method ~= nil then return method end
    local getter = getters and getters[key]
    if getter then return getter(self) end
    if type(key) == "string" then fail("a %s has no '%s'", meta.__name, key) end
    return nil
  end
  meta.__close = methods.close
  meta.__name = "physad." .. name
  function meta.__tostring(self)
    return "physad." .. name .. (core.closed(self.h) and " (closed)" or "")
  end
  return meta
end

local function new(meta, h, fields)
  fields = fields or {}
  fields.h = h
  return setmetatable(fields, meta)
end

-- Splits off what is not an option of the structure.
local function take(options, ...)
  local rest, taken = {}, {}
  for key, value in pairs(options or {}) do rest[key] = value end
  for i, key in ipairs({ ... }) do
    taken[i] = rest[key]
    rest[key] = nil
  end
  return rest, unpack(taken, 1, select("#", ...))
end

-- As take, where there are no others.
local function only(options, ...)
  local stray = next((take(options, ...)))
  if stray ~= nil then fail("unknown option '%s': want %s", tostring(stray), table.concat({ ... }, ", ")) end
  return select(2, take(options, ...))
end

--- physad.context{threads=, seed=, memory_limit=}
local context_class = class("context", {
  cancel = function(self) core.context_cancel(self.h) end,
  resume = function(self) core.context_resume(self.h) end,
}, {
  threads = function(self) return core.context_threads(self.h) end,
  seed = function(self) return core.context_seed(self.h) end,
  memory_used = function(self) return core.context_memory_used(self.h) end,
  memory_peak = function(self) return core.context_memory_peak(self.h) end,
})
function physad.context(options) return new(context_class, core.context_new(options)) end

--- physad.image(path, options): pixels by `.pixels`, an array height x width x channels.
local image_class = class("image", {}, {
  pixels = function(self) return core.image_view(self.h) end,
  info = function(self) return core.image_describe(self.h) end,
})
local channels = { gray = 1, rgb = 3 }
function physad.image(path, options)
  local rest, context = take(options, "context")
  rest.channels = channels[rest.channels] or rest.channels
  return new(image_class, core.image_read(handle_of(context), path, rest))
end
function physad.decode(bytes, options)
  local rest, context, name = take(options, "context", "name")
  rest.channels = channels[rest.channels] or rest.channels
  return new(image_class, core.image_read_memory(handle_of(context), bytes, name, rest))
end
function physad.write_image(path, pixels, options)
  local rest, context = take(options, "context")
  core.image_write(handle_of(context), path, pixels, rest)
end

local function pixels_of(photo, context, scale) -- scale: of a path's JPEG
  if type(photo) == "string" then return core.image_view(core.image_read(handle_of(context), photo, scale and { jpeg_scale = scale })) end
  if getmetatable(photo) == image_class then return photo.pixels end
  return photo
end

--- physad.video(path, options): for i, pixels, seconds in video:frames()
local video_class = class("video", {
  read = function(self)
    local frame = core.video_read(self.h)
    if frame.pixels == nil then return nil end
    return frame.index + 1, frame.pixels, frame.seconds
  end,
  seek = function(self, index) core.video_seek(self.h, index - 1) end,
  frame_count = function(self) return core.video_frame_count(self.h) end,
  frames = function(self) return function() return self:read() end end,
}, { info = function(self) return core.video_describe(self.h) end })
function physad.video(path, options)
  local rest, context = take(options, "context")
  rest.channels = channels[rest.channels] or rest.channels
  return new(video_class, core.video_open(handle_of(context), path, rest))
end

--- physad.dataset(path, options): #ds, ds:sample(i), ds:iter(), ds:select{category=, split=}, ds:subset{...}, ds:split(fraction, seed)
local split_bits = { train = 1, validation = 2, test = 4, whole = 8 }
local split_names = { [1] = "train", [2] = "validation", [4] = "test", [8] = "whole" }
local dataset_class
local function bits_of(split)
  if split == nil then return 0 end
  return split_bits[split] or fail("split is '%s', want train, validation, test or whole", tostring(split))
end
dataset_class = class("dataset", {
  count = function(self) return core.dataset_count(self.h) end,
  sample = function(self, index)
    if type(index) ~= "number" or index < 1 or index > core.dataset_count(self.h) then
      fail("sample %s of %d: they count from 1", tostring(index), core.dataset_count(self.h))
    end
    local s = core.dataset_sample(self.h, index - 1)
    s.split = split_names[s.split]
    if s.label < 0 then s.label = nil end
    s.index = index
    return s
  end,
  iter = function(self)
    local i = 0
    return function()
      i = i + 1
      if i <= core.dataset_count(self.h) then return i, self:sample(i) end
    end
  end,
  read = function(self, index, scale) -- scale: 1, 2, 4, 8, decode a JPEG file smaller
    self:sample(index)
    return new(image_class, core.dataset_read_scaled(self.h, index - 1, scale or 1))
  end,
  mask = function(self, index)
    local shape = self:read(index).pixels:shape()
    local mask = core.array("bool", { shape[1], shape[2] })
    core.dataset_read_mask(self.h, index - 1, mask)
    return mask
  end,
  select = function(self, options)
    local category, split = only(options, "category", "split")
    return new(dataset_class, core.dataset_select(self.h, category, bits_of(split)))
  end,
  subset = function(self, indices)
    local from_zero = {}
    for i, index in ipairs(indices) do from_zero[i] = index - 1 end
    return new(dataset_class, core.dataset_subset(self.h, from_zero))
  end,
  split = function(self, fraction, seed)
    local first, second = core.dataset_split(self.h, fraction, seed or 0)
    return new(dataset_class, first), new(dataset_class, second)
  end,
  stats = function(self, progress) return core.dataset_stats(self.h, progress) end,
}, {
  root = function(self) return core.dataset_root(self.h) end,
  name = function(self) return core.dataset_name(self.h) end,
  format = function(self) return core.dataset_format(self.h) end,
  train = function(self) return self:select { split = "train" } end,
  test = function(self) return self:select { split = "test" } end,
  validation = function(self) return self:select { split = "validation" } end,
  categories = function(self)
    local names = {}
    for i = 1, core.dataset_category_count(self.h) do names[i] = core.dataset_category(self.h, i - 1) end
    return names
  end,
})
dataset_class.__len = function(self) return core.dataset_count(self.h) end
function physad.dataset(path, options)
  local rest, context = take(options, "context")
  return new(dataset_class, core.dataset_open(handle_of(context), path, rest))
end

--- physad.files(paths, {split=, label=})
function physad.files(paths, options)
  local context, split, label = only(options, "context", "split", "label")
  return new(dataset_class, core.dataset_from_files(handle_of(context), paths, bits_of(split or "train"), label or 0))
end

--- physad.transform(options): transform(photo) is an array h x w x 3, f32.
local transform_class = class("transform", {
  shape = function(self) return core.transform_shape(self.h) end,
  apply = function(self, photo, out)
    local height, width = core.transform_shape(self.h)
    out = out or core.array("f32", { height, width, 3 })
    core.transform_apply(self.h, pixels_of(photo), out)
    return out
  end,
})
transform_class.__call = function(self, ...) return self:apply(...) end
function physad.transform(options)
  local rest, context = take(options, "context")
  return new(transform_class, core.transform_new(handle_of(context), rest))
end

--- physad.features(options): features(images) is an array n x h x w x d, f32.
local features_class = class("features", {
  shape = function(self) return core.features_shape(self.h) end,
  input_size = function(self) return core.features_input_size(self.h) end,
  compute = function(self, images, out, progress)
    local height, width, dim = core.features_shape(self.h)
    out = out or core.array("f32", { images:shape()[1], height, width, dim })
    core.features_compute(self.h, images, out, progress)
    return out
  end,
  layers = function(self) -- names, fine to coarse, and the shape {h, w, c} of one photo's output by name
    local names, shapes = {}, {}
    for i = 1, core.features_layer_count(self.h) do
      names[i] = core.features_layer_name(self.h, i - 1)
      shapes[names[i]] = { core.features_layer_shape(self.h, i - 1) }
    end
    return names, shapes
  end,
  layer_outputs = function(self, images, progress) -- an array n x h x w x c by layer's name
    local names, shapes = self:layers()
    local outs, found = {}, {}
    for i, name in ipairs(names) do
      outs[i] = core.array("f32", { images:shape()[1], shapes[name][1], shapes[name][2], shapes[name][3] })
      found[name] = outs[i]
    end
    core.features_compute_layers(self.h, images, outs, progress)
    return found
  end,
}, { backbone = function(self) return core.features_backbone(self.h) end })
features_class.__call = function(self, ...) return self:compute(...) end
function physad.features(options)
  local rest, context = take(options, "context")
  return new(features_class, core.features_new(handle_of(context), rest))
end

--- physad.bank(dim, options): rows are arrays n x dim, f32; answers of search are indices from 1.
local bank_class = class("bank", {
  count = function(self) return core.bank_count(self.h) end,
  add = function(self, rows, samples, positions)
    core.bank_add(self.h, rows, samples, positions)
    return self
  end,
  remove = function(self, sample) return core.bank_remove(self.h, sample) end,
  save = function(self, path) core.bank_save(self.h, path) end,
  rows = function(self) return core.bank_rows(self.h) end,
  search = function(self, queries, k)
    local count = queries:shape()[1]
    local distances, indices = core.array("f32", { count, k or 1 }), core.array("i64", { count, k or 1 })
    core.bank_search(self.h, queries, k or 1, distances, indices, nil, nil)
    local from_one = indices:totable()
    for i = 1, #from_one do
      if from_one[i] >= 0 then from_one[i] = from_one[i] + 1 end
    end
    return distances:totable(), from_one
  end,
  coreset = function(self, options)
    local rest, progress = take(options, "progress")
    local picks = core.array("i64", { core.bank_coreset_count(self.h, rest) })
    core.bank_coreset(self.h, picks, nil, rest, progress)
    local from_one = picks:totable()
    for i = 1, #from_one do from_one[i] = from_one[i] + 1 end
    return from_one
  end,
}, { dim = function(self) return core.bank_dim(self.h) end })
bank_class.__len = function(self) return core.bank_count(self.h) end
function physad.bank(dim, options)
  local rest, context = take(options, "context")
  return new(bank_class, core.bank_new(handle_of(context), dim, rest))
end
function physad.load_bank(path, options)
  local context = only(options, "context")
  return new(bank_class, core.bank_load(handle_of(context), path))
end

--- physad.scores(): s:add(score, label, {type=, group=, type_scores={type = score}}); s:measure(options) is a table of metrics by
--- name, by type {name = {vs_good=, vs_rest=}}, and the curve: an f64 array of rows threshold, false-positive rate, true-positive rate
--- (recall), precision, overlap of regions. physad.pixels(): p:add(map, mask, {valid=, group=, saturation_area=}).
local function measured(h)
  local found, types = {}, {}
  for i = 1, core.metrics_count(h) do
    local name = core.metrics_name(h, i - 1)
    found[name] = core.metrics_get(h, name)
  end
  for i = 1, core.metrics_type_count(h) do
    local good, rest = core.metrics_type(h, i - 1)
    types[core.metrics_type_name(h, i - 1)] = { vs_good = good, vs_rest = rest }
  end
  return found, types, core.metrics_curve(h)
end
local scores_class = class("scores", {
  count = function(self) return core.scores_count(self.h) end,
  add = function(self, score, label, options)
    local type_, group, by_type = only(options, "type", "group", "type_scores")
    if by_type then
      core.scores_add_typed(self.h, score, label, type_, group, by_type)
    else
      core.scores_add(self.h, score, label, type_, group)
    end
    return self
  end,
  merge = function(self, other) core.scores_merge(self.h, other.h) end,
  measure = function(self, options)
    local rest, progress = take(options, "progress")
    return measured(core.scores_measure(self.h, rest, progress))
  end,
})
scores_class.__len = function(self) return core.scores_count(self.h) end
function physad.scores(options)
  local context = only(options, "context")
  return new(scores_class, core.scores_new(handle_of(context)))
end

local pixels_class = class("pixels", {
  count = function(self) return core.pixels_count(self.h) end,
  add = function(self, map, mask, options)
    local valid, group, area = only(options, "valid", "group", "saturation_area")
    core.pixels_add(self.h, map, mask, valid, group, area or 0)
    return self
  end,
  merge = function(self, other) core.pixels_merge(self.h, other.h) end,
  measure = function(self, options)
    local rest, progress = take(options, "progress")
    return measured(core.pixels_measure(self.h, rest, progress))
  end,
})
pixels_class.__len = function(self) return core.pixels_count(self.h) end
function physad.pixels(options)
  local context = only(options, "context")
  return new(pixels_class, core.pixels_new(handle_of(context)))
end

--- What det:score() gives: .score, .is_anomalous (nil without a threshold), .threshold, .p_value, .map (array), :nearest(y, x),
--- :regions(photo, level); of a video .frames, a score per frame, .verdict (in words, may be empty), .worst (its oddest moment) and :frame_map(i).
local region_kinds = { "hole", "line", "tint", "deformation" }
local result_class
result_class = class("result", {
  regions = function(self, photo, level) -- a list of where the map is above the level, and what kind of defect each place looks like
    local handle = core.regions_find(self.h, pixels_of(photo), level or 0 / 0)
    local list = { handle = handle, level = core.regions_level(handle) }
    for i = 1, core.regions_count(handle) do
      list[i] = core.regions_get(handle, i - 1)
      list[i].kind = region_kinds[list[i].kind + 1]
    end
    return list
  end,
  strip = function(self) return new(result_class, core.result_strip(self.h)) end, -- without the maps and what explains them
  nearest = function(self, y, x)
    local near = core.result_nearest(self.h, y - 1, x - 1)
    near.sample = near.sample + 1
    return near
  end,
  frame_map = function(self, i) -- of frame i of a video, at the size that the model worked at: methods that train on clips keep them
    local count = core.result_frame_count(self.h)
    if type(i) ~= "number" or i < 1 or i > count then fail("frame %s of %d: they count from 1", tostring(i), count) end
    local height, width = core.result_input_map_shape(self.h)
    local map = core.array("f32", { math.max(height, 1), math.max(width, 1) })
    core.result_frame_map(self.h, i - 1, map)
    return map
  end,
  overlay = function(self, photo, mask) -- the photo, and beside it the photo under its score map: u8, h x (2 w + 8) x 3
    local map, top = self.map, self.threshold
    local values, low = {}, nil
    for _, value in ipairs(map:totable()) do
      if value == value then values[#values + 1] = value end
    end
    table.sort(values)
    low = values[math.floor(#values / 2) + 1] or 0
    if top ~= top then top = values[#values] or 1 end
    if not (top > low) then top = low + 1 end
    local shape = map:shape()
    local out = core.array("u8", { shape[1], 2 * shape[2] + 8, 3 })
    core.overlay_draw(pixels_of(photo), map, mask, low, top, out)
    return out
  end,
}, {
  frames = function(self) return core.result_frame_scores(self.h) end,
  verdict = function(self) return core.result_verdict(self.h) end,
  worst = function(self)
    local found = core.result_worst(self.h)
    found.frame = found.frame + 1
    found.sample = found.sample >= 0 and found.sample + 1 or nil
    found.near_frame = found.near_frame >= 0 and found.near_frame + 1 or nil
    return found
  end,
  score = function(self) return core.result_score(self.h) end,
  threshold = function(self) return core.result_threshold(self.h) end,
  p_value = function(self) return core.result_p_value(self.h) end,
  is_anomalous = function(self)
    local answer = core.result_is_anomalous(self.h)
    if answer < 0 then return nil end
    return answer == 1
  end,
  map = function(self)
    local height, width = core.result_map_shape(self.h)
    local map = core.array("f32", { height, width })
    core.result_map(self.h, map)
    return map
  end,
})

--- physad.group(results): one verdict of photos of one thing: .score, .is_anomalous (nil without a threshold), .places, a list of {photo=,
--- agreeing=, seen_by=, position={x, y, z}, radius=, score=, y=, x=}. result:strip() is the same result without its maps: keep those of many.
local group_class = class("group", {}, {
  score = function(self) return core.group_score(self.h) end,
  is_anomalous = function(self)
    local answer = core.group_is_anomalous(self.h)
    if answer < 0 then return nil end
    return answer == 1
  end,
  places = function(self)
    local list = {}
    for i = 1, core.group_place_count(self.h) do
      list[i] = core.group_place(self.h, i - 1)
      list[i].photo = list[i].photo + 1
    end
    return list
  end,
})
function physad.group(results)
  local list = {}
  for i, result in ipairs(results) do
    if getmetatable(result) ~= result_class then error("result " .. i .. " is " .. type(result) .. ", want a physad result", 2) end
    list[i] = result.h
  end
  return new(group_class, core.group_new(list))
end

--- physad.types(): types of defect, by the nearest labelled example; without any, the four kinds. t:add(type, regions),
--- t:add_folder(det, folder), t:tell(regions): how much the first one looks like each type; t.names.
local types_class = class("types", {
  add = function(self, kind, regions) core.types_add(self.h, kind, regions.handle) end,
  add_folder = function(self, det, folder) core.types_add_folder(self.h, det.h, folder) end,
  tell = function(self, regions)
    local told = {}
    for i, name in ipairs(self.names) do told[name] = core.types_likeness(self.h, regions.handle, i - 1) end
    return told
  end,
}, {
  names = function(self)
    local names = {}
    for i = 1, core.types_count(self.h) do names[i] = core.types_name(self.h, i - 1) end
    return names
  end,
})
function physad.types(options)
  return new(types_class, core.types_new(handle_of(only(options, "context"))))
end

--- det:stream{frame_rate=, pool=}: frames scored as they come. push(frame, seconds) gives a list of {frame=, score=} that have
--- become ready, `seconds` (when it is shown) for frames that do not come evenly, finish() the result of the take, whose .frames are the scores not yet given; .latency is the most frames that a score lags behind.
local pools = { top = 0, max = 1, mean = 2 }
local stream_class = class("stream", {
  push = function(self, frame, seconds)
    local ready = {}
    if seconds then core.stream_push_at(self.h, pixels_of(frame), seconds) else core.stream_push(self.h, pixels_of(frame)) end
    while true do
      local more, frame_number, score = core.stream_next(self.h)
      if more == 0 then return ready end
      ready[#ready + 1] = { frame = frame_number + 1, score = score }
    end
  end,
  finish = function(self) return new(result_class, core.stream_end(self.h)) end,
}, { latency = function(self) return core.stream_latency(self.h) end })

--- physad.detector(method, options), physad.load(path)
local function text_of(value)
  if math.type and math.type(value) == "float" or type(value) == "number" and value % 1 ~= 0 then
    return (string.format("%.17g", value):gsub(",", ".")) -- whatever the locale
  end
  return type(value) == "number" and string.format("%d", value) or tostring(value)
end
local errors = { stop = 0, skip = 1 }
local function call_of(progress, batch, on_error)
  local number = errors[on_error or "stop"] or fail("on_error is '%s', want stop or skip", tostring(on_error))
  return { progress = progress, batch = batch, on_error = number }
end
local function scale_of(detector) return tonumber(core.detector_get(detector.h, "jpeg_scale") or 1) end
local detector_class = class("detector", {
  set = function(self, key, value) core.detector_set(self.h, key, text_of(value)) end,
  get = function(self, key) return core.detector_get(self.h, key) end,
  fit = function(self, dataset, options)
    local progress, batch, on_error = only(options, "progress", "batch", "on_error")
    if type(dataset) == "string" then dataset = physad.dataset(dataset) end
    core.detector_fit(self.h, dataset.h, call_of(progress, batch, on_error))
    return self
  end,
  add = function(self, dataset, progress) core.detector_add(self.h, dataset.h, progress) end,
  remove = function(self, path, progress) core.detector_remove(self.h, path, progress) end,
  -- photo: a path (that of a video where the method is one on videos), an image, an array or a video. pool: how a method on photos makes
  -- a video's score of its frames', "top", "max" or "mean"
  score = function(self, photo, pool)
    if type(photo) == "string" and core.method_describe(self.method).input == 3 then -- PHYSAD_INPUT_VIDEO
      local video = physad.video(photo)
      local result = self:score(video, pool)
      video:close()
      return result
    end
    if getmetatable(photo) == video_class then
      local number = pools[pool or "top"] or fail("pool is '%s', want top, max or mean", tostring(pool))
      return new(result_class, core.detector_score_video(self.h, photo.h, number))
    end
    return new(result_class, core.detector_score(self.h, pixels_of(photo, nil, scale_of(self))))
  end,
  score_batch = function(self, photos) -- a list of results, equal to those of single calls to the bit
    local list, results = {}, {}
    local scale = scale_of(self)
    for i = 1, #photos do
      list[i] = pixels_of(getmetatable(photos) == dataset_class and photos:read(i, scale) or photos[i], nil, scale)
    end
    for i, h in ipairs(core.detector_score_batch(self.h, list)) do results[i] = new(result_class, h) end
    return results
  end,
  scores = function(self, photos) -- for i, result in det:scores(list or data set): read as they are wanted, eight at a time
    local i, dataset, ready, scale = 0, getmetatable(photos) == dataset_class and photos, {}, scale_of(self)
    local count = dataset and dataset:count() or #photos
    return function()
      i = i + 1
      if i > count then return nil end
      if not ready[i] then
        ready = {}
        local part = {}
        for k = i, math.min(i + 7, count) do
          part[#part + 1] = pixels_of(dataset and dataset:read(k, scale) or photos[k], nil, scale)
        end
        for k, result in ipairs(self:score_batch(part)) do ready[i + k - 1] = result end
      end
      return i, ready[i]
    end
  end,
  save = function(self, path) core.detector_save(self.h, path) end,
  threshold = function(self) return core.detector_threshold(self.h) end,
  set_threshold = function(self, value) core.detector_set_threshold(self.h, value) end,
  set_rules = function(self, json) core.detector_set_rules(self.h, json) end, -- as .rules gives them, edited
  stream = function(self, options)
    local rest, pool = take(options, "pool")
    rest.pool = pools[pool or "top"] or fail("pool is '%s', want top, max or mean", tostring(pool))
    local h = core.stream_new(self.h, rest)
    core.lend(self.h) -- the stream looks at the detector, closed or not
    return new(stream_class, h, { detector = self.h })
  end,
  skipped = function(self) -- training samples that the last fit left out: a list of {path=, reason=}
    local list = {}
    for i = 1, core.detector_skipped_count(self.h) do
      local path, reason = core.detector_skipped(self.h, i - 1)
      list[i] = { path = path, reason = reason }
    end
    return list
  end,
  training = function(self)
    local paths = {}
    for i = 1, core.detector_training_count(self.h) do paths[i] = core.detector_training_path(self.h, i - 1) end
    return paths
  end,
}, {
  method = function(self) return core.detector_method(self.h) end,
  rules = function(self) return core.detector_rules(self.h) end, -- what is normal, as rules, in JSON
  is_fitted = function(self) return core.detector_is_fitted(self.h) == 1 end,
})
function physad.detector(method, options)
  local rest, context = take(options, "context")
  local detector = new(detector_class, core.detector_new(handle_of(context), method))
  for key, value in pairs(rest) do detector:set(key, value) end
  return detector
end
--- options: weights=, of models that only name them; precision=, another than the fit's
function physad.load(path, options)
  local rest, context = take(options, "context")
  return new(detector_class, core.detector_load_with(handle_of(context), path, rest))
end

--- Names of the methods; physad.method(name) describes one and its options.
function physad.methods()
  local names = {}
  for i = 1, core.method_count() do names[i] = core.method_name(i - 1) end
  return names
end
function physad.method(name)
  local info = core.method_describe(name)
  info.options = {}
  for i = 1, info.option_count do info.options[i] = core.method_option(name, i - 1) end
  return info
end
function physad.backbones()
  local names = {}
  for i = 1, core.backbone_count() do names[i] = core.backbone_name(i - 1) end
  return names
end

--- physad.synth_rad(folder, options): draws a data set.
function physad.synth_rad(folder, options)
  local rest, context, progress = take(options, "context", "progress")
  core.synth_rad(handle_of(context), folder, rest, progress)
end

function physad.synth_phys(folder, options)
  local rest, context, progress = take(options, "context", "progress")
  core.synth_phys(handle_of(context), folder, rest, progress)
end

--- physad.evaluate(dataset, methods, options): .json and .csv, #results rows, r:row(i), r:metric(i, name), r:samples(i),
--- r:to_html(folder, {title=}). `gallery` of the options: pictures kept for the page, of each type (default 12).
local results_class = class("results", {
  count = function(self) return core.evaluation_count(self.h) end,
  row = function(self, i) return { method = core.evaluation_method(self.h, i - 1), category = core.evaluation_category(self.h, i - 1) } end,
  metric = function(self, i, name) return core.evaluation_metric(self.h, i - 1, name) end,
  samples = function(self, i)
    local list = {}
    for k = 1, core.evaluation_sample_count(self.h, i - 1) do list[k] = core.evaluation_sample(self.h, i - 1, k - 1) end
    return list
  end,
  to_html = function(self, folder, options) core.evaluation_html(self.h, folder, options) end,
}, {
  json = function(self) return core.evaluation_json(self.h) end,
  csv = function(self) return core.evaluation_csv(self.h) end,
})
results_class.__len = function(self) return core.evaluation_count(self.h) end
function physad.evaluate(dataset, methods, options)
  local rest, context, progress = take(options, "context", "progress")
  if rest.gallery == nil then rest.gallery = 12 end
  if type(dataset) == "string" then dataset = physad.dataset(dataset) end
  if type(methods) == "string" then methods = { methods } end
  return new(results_class, core.evaluate(handle_of(context), dataset.h, methods, rest, progress))
end

--- physad.fit_scene(folder, options), physad.scene(path): Gaussians. scene:render(camera, {background=, dtype=}) is colour, depth,
--- opacity; a camera is a table {rotation=, translation=, fx=, fy=, cx=, cy=, width=, height=}, or the number of one of scene.cameras.
--- scene:to_html(path, {title=, background=}): a page to turn it in. scene:turntable(path, {frames=, rate=, width=, height=}): a video.
local scene_class
scene_class = class("scene", {
  count = function(self) return core.scene_gaussians(self.h) end,
  save = function(self, path) core.scene_save(self.h, path) end,
  to_html = function(self, path, options) core.scene_html(self.h, path, options) end,
  turntable = function(self, path, options)
    local rest, progress = take(options, "progress")
    core.scene_turntable(self.h, path, rest, progress)
  end,
  camera = function(self, i)
    local camera = core.scene_camera(self.h, i - 1)
    return camera, core.scene_camera_name(self.h, i - 1)
  end,
  render = function(self, camera, options)
    local background, dtype = only(options, "background", "dtype")
    if type(camera) == "number" then camera = self:camera(camera) end
    local h, w = camera.height or 0, camera.width or 0
    if h < 1 or w < 1 or h > 32768 or w > 32768 then h, w = 1, 1 end -- the library says what is wrong with it
    local colour = core.array(dtype or "f32", { h, w, 3 })
    local depth, opacity = core.array("f32", { h, w }), core.array("f32", { h, w })
    core.scene_render(self.h, camera, background, colour, depth, opacity)
    return colour, depth, opacity
  end,
}, {
  cameras = function(self) return core.scene_cameras(self.h) end,
  quality = function(self) return core.scene_describe(self.h) end,
})
scene_class.__len = function(self) return core.scene_gaussians(self.h) end
function physad.fit_scene(folder, options)
  local rest, context, progress = take(options, "context", "progress")
  return new(scene_class, core.scene_fit(handle_of(context), folder, rest, progress))
end
function physad.scene(path, options)
  local context = only(options, "context")
  return new(scene_class, core.scene_load(handle_of(context), path))
end

--- physad.gaussians{xyz=, log_scale=, quaternion=, opacity=, harmonics=}: f32 arrays of N x 3, N x 3, N x 4 (w x y z), N (logits) and
--- N x K x 3; physad.gaussians(scene): a copy of a scene's. g:arrays() gives them back, g:set{xyz=, ...} changes some, g:scene() is a scene.
local parts_of_gaussians = { "xyz", "log_scale", "quaternion", "opacity", "harmonics" }
local function room_for_gaussians(n, k)
  local shapes = { { n, 3 }, { n, 3 }, { n, 4 }, { n }, { n, k, 3 } }
  local arrays = {}
  for i, shape in ipairs(shapes) do arrays[i] = core.array("f32", shape) end
  return arrays
end
local function named_parts(arrays)
  local named = {}
  for i, name in ipairs(parts_of_gaussians) do named[name] = arrays[i] end
  return named
end
local gaussians_class = class("gaussians", {
  count = function(self) return core.gaussians_count(self.h) end,
  arrays = function(self)
    local a = room_for_gaussians(core.gaussians_count(self.h), core.gaussians_harmonics(self.h))
    core.gaussians_get(self.h, a[1], a[2], a[3], a[4], a[5])
    return named_parts(a)
  end,
  set = function(self, arrays)
    core.gaussians_set(self.h, only(arrays, "xyz", "log_scale", "quaternion", "opacity", "harmonics"))
  end,
  scene = function(self) return new(scene_class, core.scene_new(self.h)) end,
})
gaussians_class.__len = function(self) return core.gaussians_count(self.h) end
function physad.gaussians(what, options)
  if getmetatable(what) == scene_class then return new(gaussians_class, core.gaussians_of_scene(what.h)) end
  local context = only(options, "context")
  return new(gaussians_class, core.gaussians_new(handle_of(context),
    only(what, "xyz", "log_scale", "quaternion", "opacity", "harmonics")))
end

--- physad.splat(): a renderer. s:forward(gaussians, camera, {values=, background=, harmonics=}) gives {colour=, depth=, opacity=,
--- channels=}, depth the sum of weight times distance; s:backward{colour=, depth=, opacity=, channels=}, gradients of a loss by these, gives
--- those by xyz, ..., values, and pose, the motion of the camera that physad.move_camera(camera, tangent) takes.
local splat_class = class("splat", {
  forward = function(self, gaussians, camera, options)
    local values, background, harmonics = only(options, "values", "background", "harmonics")
    if getmetatable(gaussians) ~= gaussians_class then fail("gaussians is %s, want physad.gaussians{...}", type(gaussians)) end
    if type(camera) ~= "table" then fail("camera is %s, want a table", type(camera)) end
    if values and type(values) ~= "userdata" then fail("values is %s, want a physad.array of f32, N x C", type(values)) end
    local h, w = camera.height or 0, camera.width or 0
    if h < 1 or w < 1 or h > 32768 or w > 32768 then h, w = 1, 1 end -- the library says what is wrong with it
    local seen = { colour = core.array("f32", { h, w, 3 }), depth = core.array("f32", { h, w }), opacity = core.array("f32", { h, w }) }
    local count = values and values:shape()[2] or 0
    if count > 0 then seen.channels = core.array("f32", { h, w, count }) end
    core.splat_forward(self.h, gaussians.h, camera, { background = background, harmonics = harmonics }, values, seen.colour, seen.depth,
      seen.opacity, seen.channels)
    self.last = { count = core.gaussians_count(gaussians.h), harmonics = core.gaussians_harmonics(gaussians.h), values = count }
    return seen
  end,
  backward = function(self, by)
    core.splat_backward(self.h, only(by, "colour", "depth", "opacity", "channels"))
    local a = room_for_gaussians(self.last.count, self.last.harmonics)
    core.splat_gradient(self.h, a[1], a[2], a[3], a[4], a[5])
    local found = named_parts(a)
    if self.last.values > 0 then
      found.values = core.array("f32", { self.last.count, self.last.values })
      core.splat_gradient_values(self.h, found.values)
    end
    found.pose = core.splat_gradient_pose(self.h)
    return found
  end,
})
function physad.splat(options) return new(splat_class, core.splat_new(handle_of(only(options, "context")))) end
function physad.move_camera(camera, tangent) return core.camera_move(camera, tangent) end

--- physad.locator(scene, folder, options): :find(photo) gives a list of poses {camera=, loss=, agreement=, confidence=, view=}, the most
--- confident first.
local locator_class = class("locator", {
  find = function(self, photo)
    local poses = core.locator_find(self.h, pixels_of(photo))
    for _, pose in ipairs(poses) do pose.view = pose.view + 1 end
    return poses
  end,
})
function physad.locator(scene, folder, options)
  local rest, progress = take(options, "progress")
  local h = core.locator_new(scene.h, folder, rest, progress)
  core.lend(scene.h) -- the locator looks at the scene, closed or not
  return new(locator_class, h, { scene = scene.h })
end

return physad
