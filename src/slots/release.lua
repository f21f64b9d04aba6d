-- Gives a ticket's slot back, or its place in the queue, and hands the slot to the next who waits.
--   KEYS[1] {slots}    ARGV[1] ticket    ARGV[2] how far ahead to look    ARGV[3] in a queue longer than this
--   returns {'OK', slot given back or 0, grants, the one who will be served after so many others} or {'RECOVERING'}
-- Safe twice: only the ticket's own slot is taken; the second time there is none.
if recovering() then return { 'RECOVERING' } end
redis.call('ZREM', QUEUE, ARGV[1])
local slot = redis.call('HGET', HOLDERS, ARGV[1])
if slot then take(ARGV[1], slot) end
local grants = hand_out()
local ahead = {}
if #grants > 0 and redis.call('ZCARD', QUEUE) > tonumber(ARGV[3]) then
  ahead = redis.call('ZRANGE', QUEUE, ARGV[2], ARGV[2])
end
return { 'OK', slot and tonumber(slot) or 0, grants, ahead }
