-- Decides one request under all its limits, and counts it if none refuses it. All or nothing: a
-- refused request spends nothing. The arithmetic is that of `algorithm.rs`, number for number.
--
-- KEYS[i]    the counter of one subject under one policy: three numbers, see below. It lives for as
--            long as it matters.
-- ARGV[1]    what this request costs, at least 1; or, below zero, how much to give back of what was
--            counted before
-- Then six for each key:
--   ARGV[+0] "fixed", "sliding" or "bucket"
--   ARGV[+1] how much a window admits, or a full bucket holds
--   ARGV[+2] windows: how long one lasts, in milliseconds; bucket: units that come back in one
--   ARGV[+3] bucket: how many units a request is; else 0
--   ARGV[+4] 1 if this limit refuses, 0 if it only tells that it would
--   ARGV[+5] fixed: how much more to count for requests to come, at most; else 0. Giving back: how
--            long a window may still have to go, in milliseconds, to be the one that has counted it
--
-- Returns { 1 if admitted or else 0, then for each key: 1 if it has room for this request or else
-- 0, what is left, milliseconds until the window ends or the bucket is full, milliseconds until a
-- request of this cost fits, how much has been counted for requests to come }.
--
-- Time is this server's alone: gateways' clocks may differ. All numbers are below 2^53, so that
-- doubles hold them exactly, as long as quotients are rounded before they are divided.
--
-- Redis runs scripts on one core, so that a call's time bounds what a fleet may ask. Hence flat
-- code, and locals for what would be looked up by name each time: a function or a table more for each
-- call costs a twentieth of it.

-- For requests to come at most this part of what is left, lest much lies unused.
local PART = 64

local keys, args, tonumber, string = KEYS, ARGV, tonumber, string
local max, min, fmod = math.max, math.min, math.fmod
local time = redis.call('TIME')
local now = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
local cost = tonumber(args[1])

-- In `counters` there are six for each key: spent, before, at, when it ceases to matter, how many
-- units a request is (0: nothing is to be counted), and whether it is written in any case. Both
-- tables begin as large as one key needs.
local admitted, answer, counters = true, { 1, 0, 0, 0, 0, 0 }, { 0, 0, 0, 0, 0, 0 }

for i = 1, #keys do
  local arg = 6 * i - 4
  local algorithm, most, a = args[arg], tonumber(args[arg + 1]), tonumber(args[arg + 2])

  -- What a key holds: `spent` in this window, or missing from a full bucket at the time `at`;
  -- `before`, what the window before had spent (sliding), or how many units a request was (bucket);
  -- `at`, when the window ends (fixed) or began (sliding). What is not three numbers is none of ours,
  -- and nothing has been spent. Hence pcall: GET fails on a list, and a caller whose counter is a list
  -- must not be an error for ever. Any other error is one: without GET nobody would be limited.
  local spent, before, at
  local value = redis.pcall('GET', keys[i])
  if type(value) == 'string' then
    spent, before, at = string.match(value, '^(%d+) (%d+) (%d+)$')
    spent, before, at = tonumber(spent), tonumber(before), tonumber(at)
  elseif value and value.err and string.sub(value.err, 1, 9) ~= 'WRONGTYPE' then
    return value
  end
  local known = spent

  local ends, fits, remaining, reset, retry
  local unit, moved = 1, false
  if algorithm == 'fixed' then
    local window = a
    if not spent or at <= now then
      spent, at = 0, now + window
    elseif at > now + window then
      -- A reload has made windows shorter: none may have longer to go than a whole one.
      at, moved = now + window, true
    end
    before, ends, reset = 0, at, at - now
    fits = spent + cost <= most
    remaining = max(most - spent, 0)
    retry = fits and 0 or reset
  else
    local function floor_div(x, y)
      return (x - fmod(x, y)) / y
    end
    local function ceil_div(x, y)
      return floor_div(x, y) + (fmod(x, y) > 0 and 1 or 0)
    end
    spent, before, at = spent or 0, before or 0, min(at or now, now)
    local passed = now - at
    if algorithm == 'sliding' then
      local window = a
      if passed >= 2 * window or (passed >= window and spent == 0) then
        spent, before, at = 0, 0, now
      elseif passed >= window then
        spent, before, at = 0, spent, at + window
      end
      ends = at + 2 * window
      reset = at + window - now
      local used, room = spent + ceil_div(before * reset, window), most - cost
      fits = used <= room
      remaining = max(most - used, 0)
      if fits then
        retry = 0
      elseif room < 0 then
        retry = reset
      elseif room >= spent then
        retry = max(reset - min(floor_div((room - spent) * window, max(before, 1)), window), 0)
      else
        retry = reset + window - min(floor_div(room * window, max(spent, 1)), window)
      end
    else
      local per_ms = a
      unit = tonumber(args[arg + 3])
      -- Compared before they are multiplied: a long time times a high rate would not be exact.
      local missing = 0
      if before > 0 and before ~= unit then
        -- A reload has changed the rate, and with it what a request is.
        spent = min(ceil_div(spent, before) * unit, 2 * most * unit)
      end
      if passed < ceil_div(spent, per_ms) then
        missing = max(spent - passed * per_ms, 0)
      end
      local full = most * unit
      local wanted = missing + cost * unit
      fits = wanted <= full
      remaining = floor_div(max(full - missing, 0), unit)
      retry = fits and 0 or ceil_div(min(wanted - full, missing), per_ms)
      spent, before, at = missing, unit, now
      -- When it is full again, if this request is counted.
      ends = now + ceil_div(max(wanted, 0), per_ms)
      reset = ceil_div(missing, per_ms)
    end
  end

  if cost < 0 and algorithm ~= 'bucket' and (not known or reset > tonumber(args[arg + 5])) then
    unit = 0
  end
  if not fits and args[arg + 4] == '1' then
    admitted = false
  end
  local c, r = 6 * i - 5, 5 * i - 3
  counters[c], counters[c + 1], counters[c + 2] = spent, before, at
  counters[c + 3], counters[c + 4], counters[c + 5] = ends, unit, moved
  answer[r], answer[r + 1], answer[r + 2] = fits and 1 or 0, remaining, reset
  answer[r + 3], answer[r + 4] = retry, 0
end

for i = 1, #keys do
  local c, r = 6 * i - 5, 5 * i - 3
  local spent, ends, unit = counters[c], counters[c + 3], counters[c + 4]
  local counted = admitted and answer[r] == 1 and unit > 0
  if counted then
    local more, left = tonumber(args[6 * i + 1]), answer[r + 1] - cost
    if cost > 0 and more > 0 then
      more = min(more, (left - left % PART) / PART)
      answer[r + 4] = more
    else
      more = 0
    end
    spent = max(spent + cost * unit + more, 0)
    answer[r + 1] = min(left - more, tonumber(args[6 * i - 3]))
    if args[6 * i - 4] == 'bucket' then
      answer[r + 2] = ends - now
    end
  end
  if counted or counters[c + 5] then
    local written = string.format('%d %d %d', spent, counters[c + 1], counters[c + 2])
    redis.call('SET', keys[i], written, 'PX', max(ends - now, 1))
  end
end

if not admitted then
  answer[1] = 0
end
return answer
