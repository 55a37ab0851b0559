-- How many gateways live that have not followed up to a version.
--
-- KEYS  instances
-- ARGV  the version, the id of the one who asks, which does not count

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local behind = 0

local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
    local version, ends = string.match(all[at + 1], '^(%d+) (%d+)$')
    if not ends or tonumber(ends) < now then
        redis.call('HDEL', KEYS[1], all[at])
    elseif all[at] ~= ARGV[2] and tonumber(version) < tonumber(ARGV[1]) then
        behind = behind + 1
    end
end
return behind
