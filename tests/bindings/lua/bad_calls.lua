-- SPDX-License-Identifier: Apache-2.0
-- The table of bad calls as the C tests read it: lua bad_calls.lua FOLDER SOURCE, where FOLDER is empty and the current one. Each call
-- ends in a table with its status and exactly the message that C gives. Handles are those of tests/unit/bad_calls.h.
local core = require "physad.core"
local source = assert(arg[2], "usage: lua bad_calls.lua FOLDER SOURCE")
local unpack = table.unpack or unpack
local null = {}

-- JSON, as much of it as these files have.
local function parse(text)
  local at = 1
  local read
  local escapes = { n = "\n", t = "\t", r = "\r", b = "\b", f = "\f" }
  local function skip() at = text:find("[^%s,:]", at) or #text + 1 end
  local function string_at()
    local from, parts = at + 1, {}
    while true do
      local stop = assert(text:find('[\\"]', from), "a text without end")
      parts[#parts + 1] = text:sub(from, stop - 1)
      if text:sub(stop, stop) == '"' then
        at = stop + 1
        return table.concat(parts)
      end
      local sign = text:sub(stop + 1, stop + 1)
      assert(sign ~= "u", "no \\u here")
      parts[#parts + 1] = escapes[sign] or sign
      from = stop + 2
    end
  end
  function read()
    skip()
    local sign = text:sub(at, at)
    if sign == '"' then return string_at() end
    if sign == "{" or sign == "[" then
      local found, n, close = {}, 0, sign == "{" and "}" or "]"
      at = at + 1
      skip()
      while text:sub(at, at) ~= close do
        n = n + 1
        local key = n
        if sign == "{" then key = string_at() end
        found[key] = read()
        skip()
      end
      at = at + 1
      if sign == "[" then found.n = n end
      return found
    end
    local word = assert(text:match("^[%w%.%+%-]+", at), "no JSON at byte " .. at)
    at = at + #word
    if word == "null" then return null end
    return word == "true" or (word ~= "false" and assert(tonumber(word)))
  end
  return read()
end

local function lines(path)
  local list = {}
  for line in io.lines(path) do list[#list + 1] = line end
  return list
end
local plans = parse(table.concat(lines(source .. "/tests/bindings/bad_calls.json"), "\n"))

local function number(x) return type(x) == "string" and (x == "nan" and -(0 / 0) or assert(tonumber(x))) or x end

-- What JSON says as Lua has it.
local function value(given)
  if given == null then return nil end
  if type(given) ~= "table" then return given end
  if given.dtype then
    local data = given.data
    if data then
      for i = 1, data.n do data[i] = number(data[i]) end
    end
    return core.array(given.dtype, given.shape, data)
  end
  local found = {}
  for key, part in pairs(given) do
    if key ~= "n" then found[key] = value(part) end
  end
  return found
end

local context = core.context_new(nil)
local function detector()
  local made = core.detector_new(context, "patchcore")
  core.detector_set(made, "weights", "random:1")
  core.detector_set(made, "input", "64")
  return made
end

local world = {
  context = context, dataset = core.dataset_new(context), empty_dataset = core.dataset_new(context),
  transform = core.transform_new(context, { height = 32, width = 32 }),
  features = core.features_new(context, { weights = "random:1", height = 64, width = 64 }),
  bank = core.bank_new(context, 2, nil), empty_bank = core.bank_new(context, 2, nil), detector = detector(), fitted = detector(),
  scores = core.scores_new(context), pixels = core.pixels_new(context), tensors = core.tensors_new(context),
}
local photos = {}
for i = 0, 5 do
  local bytes = {}
  for p = 1, 64 * 64 * 3 do bytes[p] = string.char((p * (37 + i) + p * p % 251) % 256) end
  photos[i] = core.array("u8", { 64, 64, 3 }, table.concat(bytes))
  core.dataset_add(world.dataset, { photo = photos[i], name = "n" .. i .. ".png", flags = 1 })
end
core.bank_add(world.bank, core.array("f32", { 4, 2 }, { 0, 1, 2, 3, 4, 5, 6, 7 }), nil, nil)
core.detector_fit(world.fitted, world.dataset, nil)
world.result = core.detector_score(world.fitted, photos[0])
for label = 0, 1 do core.scores_add(world.scores, label, label, nil, nil) end
world.metrics = core.scores_measure(world.scores, nil, nil)
assert(os.execute(string.format("mkdir empty && echo 'no photo, no model' >text.txt && ln -s '%s/tests/golden/images' '%s/tests/golden/tensors' .",
  source, source)))

local function make(line)
  local name = line.call:gsub("^physad_", "")
  local args = {}
  for i = 1, line.args.n do args[i] = value(line.args[i]) end
  if name == "detector_fit" then -- one of its own, with options that only a fit can judge
    local on = detector()
    for key, text in pairs(args[2]) do core.detector_set(on, key, text) end
    return core.detector_fit(on, world[args[1]], nil)
  end
  if name == "dataset_subset" then args[1] = args[1]:totable() end
  if name == "scores_add" or name == "detector_set_threshold" then args[1] = number(args[1]) end
  local given, n = {}, 0
  local function push(x)
    n = n + 1
    given[n] = x
  end
  local plan = plans[name]
  if plan then
    for i = 1, plan.n do
      local step = plan[i]
      if step == null then push(nil)
      elseif type(step) == "number" then push(args[step + 1])
      else push(world[step == "on" and line.on or step]) end
    end
  else
    push(world[line.on])
    for i = 1, line.args.n do push(args[i]) end
  end
  return core[name](unpack(given, 1, n))
end

local count, wrong = 0, 0
for _, text in ipairs(lines(source .. "/tests/golden/bad_calls.jsonl")) do
  local line = parse(text)
  count = count + 1
  local ok, e = pcall(make, line)
  if ok or type(e) ~= "table" or e.status ~= line.status or e.message ~= line.message then
    wrong = wrong + 1
    io.stderr:write(line.id, ": got ", ok and "no error" or type(e) == "table" and e.status .. ": " .. e.message or tostring(e), "\n")
  end
end
assert(count >= 60)
print(string.format("%d bad calls, %d end otherwise", count, wrong))
os.exit(wrong == 0 and 0 or 1, true)
