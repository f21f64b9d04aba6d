-- Takes over a turn of the pause switch. Paused: nobody is given a slot. Resumed: the free slots are handed out.
--   KEYS[1] {slots}    ARGV[1] turn
--   returns {'OK', 1 while paused or 0, grants} or {'RECOVERING'}
-- Safe twice, and in any order: a turn that comes after a later one changes nothing.
if recovering() then return { 'RECOVERING' } end
if tonumber(ARGV[1]) > tonumber(redis.call('GET', SWITCH)) then redis.call('SET', SWITCH, ARGV[1]) end
return { 'OK', paused() and 1 or 0, hand_out() }
