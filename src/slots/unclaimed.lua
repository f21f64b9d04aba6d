-- The grants given a while ago that nobody claimed: their signal may have been lost, so they are told again.
--   KEYS[1] {slots}    ARGV[1] age in milliseconds
--   returns {'OK', count, grants} or {'RECOVERING'}
-- Changes nothing.
if recovering() then return { 'RECOVERING' } end
local grants = {}
for _, ticket in ipairs(redis.call('ZRANGEBYSCORE', UNCLAIMED, '-inf', now() - tonumber(ARGV[1]))) do
  grants[#grants + 1] = ticket
  grants[#grants + 1] = tonumber(redis.call('HGET', HOLDERS, ticket))
end
return { 'OK', #grants / 2, grants }
