-- Stands before each operation of the semaphore. All of its state is under one hash tag:
--   {slots}:epoch     present while the state can be trusted; gone once Redis lost its data
--   {slots}:limit     how many slots there are: they are numbered 1 to limit
--   {slots}:free      zset of the free slots' numbers, scored by themselves: the lowest is given first
--   {slots}:queue     zset of the waiting tickets, scored by their place: the lowest is served first
--   {slots}:holders   hash ticket -> slot
--   {slots}:owners    hash slot -> ticket
--   {slots}:unclaimed zset of the tickets whose grant was not claimed yet, scored by when it was given (ms, Redis's clock)
-- A ticket names one attempt; to the semaphore it is a word. Between operations it holds that nobody waits while a slot
-- is free, and that free and held slots together are the limit (plus, after it was lowered, those still held above it).

local EPOCH, LIMIT, FREE = '{slots}:epoch', '{slots}:limit', '{slots}:free'
local QUEUE, HOLDERS, OWNERS, UNCLAIMED = '{slots}:queue', '{slots}:holders', '{slots}:owners', '{slots}:unclaimed'

local function recovering()
  return redis.call('EXISTS', EPOCH) == 0
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

-- Gives the free slots to those who wait longest; returns {ticket, slot, ticket, slot, ...}: the grants to signal.
local function hand_out()
  local grants = {}
  while redis.call('ZCARD', FREE) > 0 and redis.call('ZCARD', QUEUE) > 0 do
    local ticket = redis.call('ZPOPMIN', QUEUE)[1]
    local slot = redis.call('ZPOPMIN', FREE)[1]
    give(ticket, slot)
    grants[#grants + 1] = ticket
    grants[#grants + 1] = tonumber(slot)
  end
  return grants
end
