-- Decides one request under all its limits, and counts it if none refuses it. All or nothing: a
-- refused request spends nothing. The arithmetic is that of `algorithm.rs`, number for number.
--
-- KEYS[i]    the counter of one subject under one policy: three numbers, see below. It lives for as
--            long as it matters.
-- ARGV[1]    what this request costs, at least 1; or, below zero, how much to give back of what was
--            counted a moment ago
-- Then five for each key:
--   ARGV[+0] "fixed", "sliding" or "bucket"
--   ARGV[+1] how much a window admits, or a full bucket holds
--   ARGV[+2] windows: how long one lasts, in milliseconds; bucket: units that come back in one
--   ARGV[+3] bucket: how many units a request is; else 0
--   ARGV[+4] 1 if this limit refuses, 0 if it only tells that it would
--
-- Returns { 1 if admitted or else 0, then for each key: 1 if it has room for this request or else 0, what is left, milliseconds until the window ends or the bucket
-- is full, milliseconds until a request of this cost fits }.
--
-- Time is this server's alone: gateways' clocks may differ. All numbers are below 2^53, so that
-- doubles hold them exactly, as long as they are not divided by `/`.

local time = redis.call('TIME')
local now = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000

local cost = tonumber(ARGV[1])

local function floor_div(a, b)
  return (a - math.fmod(a, b)) / b
end

local function ceil_div(a, b)
  return floor_div(a, b) + (math.fmod(a, b) > 0 and 1 or 0)
end

-- What a key holds: `spent` in this window, or missing from a full bucket at the time `at`;
-- `before`, what the window before had spent (sliding); `at`, when the window ends (fixed) or
-- began (sliding). What is not three numbers is none of ours, and nothing has been spent. Hence
-- pcall: GET fails on a list, and a caller whose counter is a list must not be unlimited for ever.
local function read(key)
  local value = redis.pcall('GET', key)
  if type(value) ~= 'string' then
    return nil
  end
  local spent, before, at = string.match(value, '^(%d+) (%d+) (%d+)$')
  if not spent then
    return nil
  end
  return { spent = tonumber(spent), before = tonumber(before), at = tonumber(at) }
end

local function write(key, counter, ends)
  local value = string.format('%.0f %.0f %.0f', counter.spent, counter.before, counter.at)
  redis.call('SET', key, value, 'PX', string.format('%.0f', math.max(ends - now, 1)))
end

local judge = {}

function judge.fixed(limit, counter)
  local most, window = limit.most, limit.a
  if not counter or counter.at <= now then
    counter = { spent = 0, before = 0, at = now + window }
  elseif counter.at > now + window then
    -- A reload has made windows shorter: none may have longer to go than a whole one.
    counter.at, limit.moved = now + window, true
  end
  limit.counter, limit.ends, limit.unit = counter, counter.at, 1
  limit.fits = counter.spent + cost <= most
  limit.remaining = math.max(most - counter.spent, 0)
  limit.reset = counter.at - now
  limit.retry = limit.fits and 0 or limit.reset
end

function judge.sliding(limit, counter)
  local most, window = limit.most, limit.a
  counter = counter or { spent = 0, before = 0, at = now }
  counter.at = math.min(counter.at, now)
  local passed = now - counter.at
  if passed >= 2 * window or (passed >= window and counter.spent == 0) then
    counter = { spent = 0, before = 0, at = now }
  elseif passed >= window then
    counter = { spent = 0, before = counter.spent, at = counter.at + window }
  end
  local left = window - (now - counter.at)
  local used = counter.spent + ceil_div(counter.before * left, window)
  limit.counter, limit.ends, limit.unit = counter, counter.at + 2 * window, 1
  limit.fits = used + cost <= most
  limit.remaining = math.max(most - used, 0)
  limit.reset = left
  limit.retry = 0
  if not limit.fits then
    local room = most - cost
    local function fades_at(of, within)
      return math.min(floor_div(within * window, math.max(of, 1)), window)
    end
    if room < 0 then
      limit.retry = left
    elseif room >= counter.spent then
      limit.retry = math.max(left - fades_at(counter.before, room - counter.spent), 0)
    else
      limit.retry = left + window - fades_at(counter.spent, room)
    end
  end
end

function judge.bucket(limit, counter)
  local per_ms, token = limit.a, limit.b
  counter = counter or { spent = 0, before = 0, at = now }
  local passed = math.max(now - counter.at, 0)
  -- Compared before they are multiplied: a long time times a high rate would not be exact.
  local missing = 0
  if passed < ceil_div(counter.spent, per_ms) then
    missing = math.max(counter.spent - passed * per_ms, 0)
  end
  local full = limit.most * token
  local wanted = missing + cost * token
  limit.counter, limit.unit = { spent = missing, before = 0, at = now }, token
  limit.fits = wanted <= full
  limit.remaining = floor_div(math.max(full - missing, 0), token)
  limit.reset = ceil_div(missing, per_ms)
  limit.retry = 0
  if not limit.fits then
    limit.retry = ceil_div(math.min(wanted - full, missing), per_ms)
  end
end

local limits, admitted = {}, true
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 5
  local algorithm = ARGV[at]
  local limit = {
    most = tonumber(ARGV[at + 1]),
    a = tonumber(ARGV[at + 2]),
    b = tonumber(ARGV[at + 3]),
  }
  judge[algorithm](limit, read(key))
  limit.bucket = algorithm == 'bucket'
  limits[i] = limit
  if ARGV[at + 4] == '1' and not limit.fits then
    admitted = false
  end
end

local answer = { admitted and 1 or 0 }
for i, key in ipairs(KEYS) do
  local limit = limits[i]
  local counter = limit.counter
  if admitted and limit.fits then
    counter.spent = math.max(counter.spent + cost * limit.unit, 0)
    limit.remaining = limit.remaining - cost
    if limit.bucket then
      limit.reset = ceil_div(counter.spent, limit.a)
      limit.ends = now + limit.reset
    end
    write(key, counter, limit.ends)
  elseif limit.moved then
    write(key, counter, limit.ends)
  end
  table.insert(answer, limit.fits and 1 or 0)
  table.insert(answer, limit.remaining)
  table.insert(answer, limit.reset)
  table.insert(answer, limit.retry)
end
return answer
