-- Notes that a gateway is alive, or that it ends, and counts those that are alive.
--
-- KEYS[1]    the gateways that share counters: a sorted set of their ids, each with the moment when
--            it was last seen. It lives for as long as one of them counts.
-- ARGV[1]    the id of this one
-- ARGV[2]    "alive" or "ends"
-- ARGV[3]    how long one counts that is not seen again, in milliseconds
--
-- Returns { how many are alive, 1 if this one was not among them or else 0 }, or as a text which
-- command Redis refuses and why. As an error it would be taken for a trouble with counting.
--
-- Time is this server's alone, in milliseconds.

local time = redis.call('TIME')
local now = time[1] * 1000 + (time[2] - time[2] % 1000) / 1000
local key, id, lasts = KEYS[1], ARGV[1], tonumber(ARGV[3])

local function text(number)
  return string.format('%.0f', number)
end

local is_new = 0
local commands = {
  -- Also first, though there may be no key yet: without the right to this nothing is to be written.
  { 'PEXPIRE', key, text(lasts) },
  { 'ZREMRANGEBYSCORE', key, '-inf', '(' .. text(now - lasts) },
  -- From before the clock was set back.
  { 'ZREMRANGEBYSCORE', key, '(' .. text(now), '+inf' },
  { 'ZADD', key, text(now), id },
  { 'PEXPIRE', key, text(lasts) },
}
if ARGV[2] == 'ends' then
  commands = { { 'ZREM', key, id } }
end
table.insert(commands, { 'ZCARD', key })

local answer
for _, command in ipairs(commands) do
  answer = redis.pcall(unpack(command))
  if type(answer) == 'table' and answer.err then
    return string.lower(command[1]) .. ': ' .. answer.err
  end
  if command[1] == 'ZADD' then
    is_new = answer
  end
end
return { answer, is_new }
