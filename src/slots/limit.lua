-- Takes over a changed limit. Raised: the new slots are free. Lowered: slots above it are given out no more; those held
-- stay held until their calls end.
--   KEYS[1] {slots}    ARGV[1] limit
--   returns {'OK', limit before, grants} or {'RECOVERING'}
-- Safe twice: the second time the limit is what it says.
if recovering() then return { 'RECOVERING' } end
local before, after = tonumber(redis.call('GET', LIMIT)), tonumber(ARGV[1])
redis.call('SET', LIMIT, after)
redis.call('ZREMRANGEBYSCORE', FREE, after + 1, '+inf')
for slot = before + 1, after do
  if redis.call('HEXISTS', OWNERS, slot) == 0 then redis.call('ZADD', FREE, slot, slot) end
end
return { 'OK', before, hand_out() }
