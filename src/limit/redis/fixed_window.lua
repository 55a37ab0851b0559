-- Decides one request in a fixed window, and counts it if it is admitted. A window starts with its
-- first request. All or nothing: a refused request spends nothing.
--
-- KEYS[1]  the counter of one subject under one policy. It holds what the window has spent so far
--          and lives exactly as long as the window.
-- ARGV[1]  how much a window admits
-- ARGV[2]  how long a window lasts, in milliseconds
-- ARGV[3]  what this request costs, at least 1
--
-- Returns { 1 if admitted or else 0, what is left, milliseconds until the window ends }.
--
-- Time is this server's alone, read from the key's TTL: gateways' clocks may differ. All numbers
-- are below 2^53, so a double holds them exactly.

local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local cost = tonumber(ARGV[3])

-- A key without a number or without a TTL is none of ours, and no running window. Hence pcall: GET
-- fails on a list, and a caller whose counter is a list must not be unlimited for ever.
local spent = tonumber(redis.pcall('GET', KEYS[1]))
local left = redis.call('PTTL', KEYS[1])

if not spent or left <= 0 then
  if cost > limit then
    return { 0, limit, window }
  end
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
  return { 1, limit - cost, window }
end

-- A reload has made windows shorter: none may have longer to go than a whole one.
if left > window then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  left = window
end

if spent + cost > limit then
  return { 0, math.max(limit - spent, 0), left }
end

redis.call('INCRBY', KEYS[1], ARGV[3])
return { 1, limit - spent - cost, left }
