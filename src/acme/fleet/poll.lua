-- What a gateway asks every few seconds: has anything changed? Says that it lives, and up to where it has
-- followed.
--
-- KEYS  lease, version, instances, challenges, then for each name its certificate and its failure
-- ARGV  this gateway's id, the version that it has followed, for how many ms it counts as alive
--
-- Returns the version now, how many ms the lease has to go (below 0: nobody has it), the time in ms, the
-- challenges as names and contents in turn, and for each name the mark of its certificate and its failure.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HSET', KEYS[3], ARGV[1], ARGV[2] .. ' ' .. now + ARGV[3])
redis.call('PEXPIRE', KEYS[3], 3600000)

local names = {}
for at = 5, #KEYS, 2 do
    -- The mark stands in front, so that a certificate need not be sent to be told from another.
    names[#names + 1] = redis.call('GETRANGE', KEYS[at], 0, 15)
    names[#names + 1] = redis.call('GET', KEYS[at + 1]) or ''
end

return {
    tonumber(redis.call('GET', KEYS[2]) or 0),
    redis.call('PTTL', KEYS[1]),
    now,
    redis.call('HGETALL', KEYS[4]),
    names,
}
