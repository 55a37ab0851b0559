-- Gives back what was counted and not used, as far as the window still runs. Never more than was
-- counted: nothing falls below zero.
--
-- KEYS[i]    a counter, as `decide.lua` writes it
-- Then three for each key:
--   ARGV[+0] how much comes back, in units: requests, or a bucket's units
--   ARGV[+1] `at`, as `decide.lua` told it when this was counted; "" for a bucket
--   ARGV[+2] sliding windows: how long one lasts, in milliseconds; else 0
--
-- Returns how many counters there were to give back to.

local refunded = 0
for i, key in ipairs(KEYS) do
  local arg = 1 + (i - 1) * 3
  local amount, at, window = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local value = redis.pcall('GET', key)
  local left = redis.call('PTTL', key)
  local parts = type(value) == 'string' and { string.match(value, '^(%d+) (%d+) (%d+)$') } or {}
  if #parts == 3 and left > 0 then
    local spent, before, began = tonumber(parts[1]), tonumber(parts[2]), tonumber(parts[3])
    if not at or at == began then
      spent = math.max(spent - amount, 0)
      refunded = refunded + 1
    elseif window > 0 and at + window == began then
      before = math.max(before - amount, 0)
      refunded = refunded + 1
    end
    value = string.format('%.0f %.0f %.0f', spent, before, began)
    redis.call('SET', key, value, 'PX', left)
  end
end
return refunded
