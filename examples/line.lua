-- SPDX-License-Identifier: Apache-2.0
-- An inspection program on a line: a model is loaded once, frames come as strings from a camera, odd parts are put aside.
--
--   lua line.lua [MODEL]
--
-- Without a model it learns from frames of its own, so that it can be tried.
local physad = require "physad"

local HEIGHT, WIDTH, FRAMES = 128, 128, 8

-- Stands for the camera's driver: the bytes of the next frame. Every fourth part has a dark hole.
local function grab(number)
  local rows = {}
  for y = 0, HEIGHT - 1 do
    local row = {}
    for x = 0, WIDTH - 1 do
      local hole = number % 4 == 3 and (y - 64) ^ 2 + (x - 64) ^ 2 < 100
      row[x + 1] = string.char(hole and 10 or 120 + (x * 7 + y * 3 + number) % 16)
    end
    rows[y + 1] = table.concat(row)
  end
  return physad.array("u8", { HEIGHT, WIDTH, 1 }, table.concat(rows)) -- the string is not copied
end

-- A model of such parts without holes, for want of a real one. With real weights leave the option `weights` out.
local function make_model(folder)
  local paths = {}
  for i = 1, 24 do
    paths[i] = string.format("%s/n%02d.png", folder, i)
    physad.write_image(paths[i], grab(i - 1 + math.floor((i - 1) / 3))) -- all but every fourth
  end
  local detector = physad.detector("patchcore", { weights = "random:1", input = 96, calibration = 0.4, alpha = 0.1 })
  return detector:fit(physad.files(paths))
end

local folder = os.tmpname()
os.remove(folder)
local model = arg[1]
if not model then os.execute("mkdir -p " .. folder) end
local detector = model and physad.load(model) or make_model(folder)
print(string.format("threshold %.4f", detector:threshold().value)) -- an error where there is none: every part would pass
local odd = 0
for number = 0, FRAMES - 1 do
  local result = detector:score(grab(number))
  if result.is_anomalous then odd = odd + 1 end
  print(string.format("frame %d: %.4f %s", number, result.score, result.is_anomalous and "reject" or "pass"))
  result:close()
end
print(string.format("%d of %d rejected", odd, FRAMES))
detector:close()
if not model then os.execute("rm -r " .. folder) end
