-- Takes, renews or gives up the right to order. Nobody has it for longer than ARGV[3] ms without saying so
-- again.
--
-- KEYS  lease
-- ARGV  `take` or `release`, the token of the one who asks, for how many ms
--
-- Returns 1 if the one who asks has it, or had it until now.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[2] then
    return 0
end
if ARGV[1] == 'take' then
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
elseif holder then
    redis.call('DEL', KEYS[1])
end
return 1
