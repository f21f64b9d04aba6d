-- PostgreSQL says that a ticket holds a slot: so it does. Whoever had it here, or another slot of the ticket's, is put right.
--   KEYS[1] {slots}    ARGV[1] ticket, ARGV[2] slot
--   returns {'OK', slot, grants} or {'RECOVERING'}
-- Safe twice: the second time all is as it says. A ticket put out waits at the head of the queue, before every place: its
-- turn had come, and whoever has a lower place than its own came after that. It fails its claim and asks again, and keeps
-- the head; should it never have heard of its grant, it is told of the next one.
if recovering() then return { 'RECOVERING' } end
local ticket, slot = ARGV[1], ARGV[2]
redis.call('ZREM', QUEUE, ticket)
local other = redis.call('HGET', HOLDERS, ticket)
if other and other ~= slot then take(ticket, other) end
local owner = redis.call('HGET', OWNERS, slot)
if owner and owner ~= ticket then
  take(owner, slot)
  redis.call('ZADD', QUEUE, '-inf', owner)
end
redis.call('ZREM', FREE, slot)
redis.call('HSET', HOLDERS, ticket, slot)
redis.call('HSET', OWNERS, slot, ticket)
redis.call('ZREM', UNCLAIMED, ticket)
return { 'OK', tonumber(slot), hand_out() }
