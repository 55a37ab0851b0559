-- Changes what gateways share, if the one who asks still has the right to order: one that was stopped for
-- longer than its lease must not undo what others have done meanwhile.
--
-- KEYS  lease, version, and the key to change
-- ARGV  token, `set`, `delete`, `show` or `hide`, for how many ms, a field or '', a content or ''
--
-- Returns the version after the change, or 0 without the right.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end

local what, lasts, field, content = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if what == 'set' then
    redis.call('SET', KEYS[3], content, 'PX', lasts)
elseif what == 'delete' then
    redis.call('DEL', KEYS[3])
elseif what == 'show' then
    redis.call('HSET', KEYS[3], field, content)
    redis.call('PEXPIRE', KEYS[3], lasts)
else
    redis.call('HDEL', KEYS[3], field)
end

-- It begins with the time: above every version that there was before a Redis lost what it had.
local version = redis.call('GET', KEYS[2])
if version then
    version = version + 1
else
    version = redis.call('TIME')[1] * 1000
end
version = string.format('%.0f', version)
redis.call('SET', KEYS[2], version, 'PX', 34560000000)
return tonumber(version)
