-- Which of these tickets have neither a slot nor a place here.
--   KEYS[1] {slots}    ARGV tickets
--   returns {'OK', count, {ticket, 0, ticket, 0 ...}} or {'RECOVERING'}
-- Changes nothing.
if recovering() then return { 'RECOVERING' } end
local absent = {}
for _, ticket in ipairs(ARGV) do
  if redis.call('HEXISTS', HOLDERS, ticket) == 0 and not redis.call('ZSCORE', QUEUE, ticket) then
    absent[#absent + 1] = ticket
    absent[#absent + 1] = 0
  end
end
return { 'OK', #absent / 2, absent }
