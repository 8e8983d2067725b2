-- wrk's requests: files of noise, each with bytes and a name of its own.
--   wrk ... -s puts.lua -- DIRECTORY DIRECTORIES BYTES
local directory, directories, noise, size
local at = 0

function init(args)
  directory, directories, size = args[1], tonumber(args[2]), tonumber(args[3])
  local bytes = {}
  for i = 1, 65536 + size do
    bytes[i] = string.char(math.random(0, 255))
  end
  noise = table.concat(bytes)
end

function request()
  at = at + 1
  local from = at * 61 % 65536
  local body = string.format("%08d", at) .. noise:sub(from + 9, from + size)
  local path = string.format("/engine/%s/%d/%d", directory, at % directories, at)
  return wrk.format("PUT", path, {["Content-Type"] = "application/octet-stream"}, body)
end
