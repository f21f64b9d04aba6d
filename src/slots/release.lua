-- Gives a ticket's slot back, or its place in the queue, and hands the slot to the next who waits.
--   KEYS[1] {slots}    ARGV[1] ticket
--   returns {'OK', slot given back or 0, grants} or {'RECOVERING'}
-- Safe twice: only the ticket's own slot is taken; the second time there is none.
if recovering() then return { 'RECOVERING' } end
redis.call('ZREM', QUEUE, ARGV[1])
local slot = redis.call('HGET', HOLDERS, ARGV[1])
if slot then take(ARGV[1], slot) end
return { 'OK', slot and tonumber(slot) or 0, hand_out() }
