-- Who holds which slot here, claimed or not.
--   KEYS[1] {slots}
--   returns {'OK', count, {ticket, slot, ticket, slot ...}} or {'RECOVERING'}
-- Changes nothing.
if recovering() then return { 'RECOVERING' } end
local held = {}
local flat = redis.call('HGETALL', HOLDERS)
for i = 1, #flat, 2 do
  held[i] = flat[i]
  held[i + 1] = tonumber(flat[i + 1])
end
return { 'OK', #held / 2, held }
