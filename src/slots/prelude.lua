-- Stands before each operation of the semaphore. All of its state is under one hash tag:
--   {slots}:epoch     run id of the Redis process in which the state was built: in no other is it trusted
--   {slots}:limit     how many slots there are: they are numbered 1 to limit
--   {slots}:free      zset of the free slots' numbers, scored by themselves: the lowest is given first
--   {slots}:queue     zset of the waiting tickets, scored by their place: the lowest is served first. A place is a whole
--                     number below 2^53 that has priority and age in it (src/store/queue-place.ts), so a score is exact
--   {slots}:holders   hash ticket -> slot
--   {slots}:owners    hash slot -> ticket
--   {slots}:switch    turn of the pause switch by the record (src/store/control.ts): odd while dialling is paused
--   {slots}:unclaimed zset of the tickets whose grant was not claimed yet, scored by when it was given (ms, Redis's clock)
-- A ticket names one attempt; to the semaphore it is a word. Between operations it holds that nobody waits while a slot
-- is free, unless dialling is paused, and that free and held slots together are the limit (plus, after it was lowered,
-- those still held above it).

local EPOCH, LIMIT, FREE, SWITCH = '{slots}:epoch', '{slots}:limit', '{slots}:free', '{slots}:switch'
local QUEUE, HOLDERS, OWNERS, UNCLAIMED = '{slots}:queue', '{slots}:holders', '{slots}:owners', '{slots}:unclaimed'

local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
end

-- Whether the state must be built anew from PostgreSQL. A Redis that was started again may have come back with data a
-- second old, and a replica that took over may have lagged: both hold an epoch, but another process's. A key that was
-- lost alone, evicted or deleted, shows in the counts; of the queue and the unclaimed grants the reconciler's audit sees it.
local function recovering()
  local limit = tonumber(redis.call('GET', LIMIT))
  if not limit or redis.call('GET', EPOCH) ~= run_id() then return true end
  if not redis.call('GET', SWITCH) then return true end
  local held = redis.call('HLEN', OWNERS)
  return redis.call('HLEN', HOLDERS) ~= held or redis.call('ZCARD', FREE) + held < limit
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function give(ticket, slot)
  redis.call('HSET', HOLDERS, ticket, slot)
  redis.call('HSET', OWNERS, slot, ticket)
  redis.call('ZADD', UNCLAIMED, now(), ticket)
end

-- Takes the slot from its ticket and, unless the limit was lowered below it, makes it free.
local function take(ticket, slot)
  redis.call('HDEL', HOLDERS, ticket)
  redis.call('HDEL', OWNERS, slot)
  redis.call('ZREM', UNCLAIMED, ticket)
  if tonumber(slot) <= tonumber(redis.call('GET', LIMIT)) then
    redis.call('ZADD', FREE, slot, slot)
  end
end

local function paused()
  return tonumber(redis.call('GET', SWITCH)) % 2 == 1
end

-- Gives the free slots to those who wait longest, unless dialling is paused; returns {ticket, slot, ticket, slot, ...}: the grants to signal.
local function hand_out()
  local grants = {}
  if paused() then return grants end
  while redis.call('ZCARD', FREE) > 0 and redis.call('ZCARD', QUEUE) > 0 do
    local ticket = redis.call('ZPOPMIN', QUEUE)[1]
    local slot = redis.call('ZPOPMIN', FREE)[1]
    give(ticket, slot)
    grants[#grants + 1] = ticket
    grants[#grants + 1] = tonumber(slot)
  end
  return grants
end
