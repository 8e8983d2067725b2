-- wrk's queries, made once for each thread so that generating one costs a table lookup.
--   wrk ... -s requests.lua -- equality TENANTS | range DOCUMENTS WIDTH
local requests = {}
local at = 0

local threads = 0
function setup(thread)
  threads = threads + 1
  thread:set("seed", threads)
end

function init(args)
  local mode, values, width = args[1], tonumber(args[2]), tonumber(args[3] or "0")
  local headers = {["Content-Type"] = "application/json"}
  math.randomseed(seed)
  for i = 1, 10000 do
    local filter
    if mode == "equality" then
      filter = string.format('{"field":"tenant","term":"%d"}', math.random(0, values - 1))
    else
      local least = math.random(0, values - width)
      filter = string.format('{"field":"rank","min":%d,"max":%d}', least, least + width)
    end
    requests[i] = wrk.format("POST", "/api/v1/tables/documents/query", headers, '{"limit":100,"filter_query":' .. filter .. "}")
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
