-- Asks for a slot: the one held already, else a free one, else a place in the queue.
--   KEYS[1] {slots}    ARGV[1] ticket, ARGV[2] place in the queue
--   returns {'OK', slot or 0 for waiting, grants} or {'RECOVERING'}
-- Safe twice: a ticket that holds a slot gets the same one, a ticket that waits keeps its place, also at the head.
if recovering() then return { 'RECOVERING' } end
local held = redis.call('HGET', HOLDERS, ARGV[1])
if held then return { 'OK', tonumber(held), {} } end
redis.call('ZADD', QUEUE, 'NX', ARGV[2], ARGV[1])
local grants = hand_out()
local slot = redis.call('HGET', HOLDERS, ARGV[1])
return { 'OK', slot and tonumber(slot) or 0, grants }
