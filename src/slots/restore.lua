-- Builds the state anew from PostgreSQL: the holders by slot, the waiters by place. Only where there is none to trust.
--   KEYS[1] {slots}    ARGV[1] limit, ARGV[2] turn of the pause switch, ARGV[3] number of holders,
--                      then ticket and slot of each holder, then ticket and place of each waiter
--   returns {'OK', 1 if restored here, grants}
-- Safe twice: once the state is there, a second restore changes nothing.
if not recovering() then return { 'OK', 0, {} } end
redis.call('DEL', LIMIT, FREE, QUEUE, HOLDERS, OWNERS, UNCLAIMED)
redis.call('SET', LIMIT, ARGV[1])
redis.call('SET', SWITCH, ARGV[2])
for slot = 1, tonumber(ARGV[1]) do redis.call('ZADD', FREE, slot, slot) end
local holders = tonumber(ARGV[3])
for i = 4, 3 + 2 * holders, 2 do
  redis.call('ZREM', FREE, ARGV[i + 1])
  redis.call('HSET', HOLDERS, ARGV[i], ARGV[i + 1])
  redis.call('HSET', OWNERS, ARGV[i + 1], ARGV[i])
end
for i = 4 + 2 * holders, #ARGV, 2 do
  redis.call('ZADD', QUEUE, ARGV[i + 1], ARGV[i])
end
redis.call('SET', EPOCH, run_id())
return { 'OK', 1, hand_out() }
