-- wrk's requests, made once for each thread so that generating one costs a table lookup.
--   wrk ... -s requests.lua -- MODE KEYS [VALUE_BYTES]
-- MODE: put and get are Strata's, etcd is a put over etcd's JSON gateway.
local requests = {}
local at = 0

local function base64(text)
  local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    for place = 3, 0, -1 do
      local index = math.floor(bits / 64 ^ place) % 64 + 1
      out[#out + 1] = alphabet:sub(index, index)
    end
    if not b then out[#out - 1] = "=" end
    if not c then out[#out] = "=" end
  end
  return table.concat(out)
end

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

function init(args)
  local mode, keys, value_bytes = args[1], tonumber(args[2]), tonumber(args[3] or "100")
  local value = base64(string.rep("v", value_bytes))
  math.randomseed(seed)
  for i = 1, 10000 do
    local key = string.format("key:%012d", math.random(0, keys - 1))
    if mode == "put" then
      requests[i] = wrk.format("PUT", "/api/v1/default/kv/" .. key, nil, '{"value":"' .. value .. '"}')
    elseif mode == "get" then
      requests[i] = wrk.format("GET", "/api/v1/default/kv/" .. key)
    else
      requests[i] = wrk.format("POST", "/v3/kv/put", nil, '{"key":"' .. base64(key) .. '","value":"' .. value .. '"}')
    end
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
