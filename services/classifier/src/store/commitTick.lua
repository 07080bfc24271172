--[[
Commits one tick of one host, or changes nothing.

KEYS[1]            tick hash
KEYS[2]            set of service guests (LIST_se)
KEYS[3]            set of scientific guests (LIST_sc)
KEYS[4 .. 3+C]     hashes of the C guests that changed
then N             hashes of guests of which only count, usage and delay changed
then the rest      hashes of the guests that departed

ARGV[1]            token that must be in the store: "<version>:<sequence>" of the tick that was read, "" for none
ARGV[2]            "reset": delete everything named in KEYS first, whatever its type; "" otherwise
ARGV[3]            C, the number of changed guests
ARGV[4]            N, the number of guests that were only counted
ARGV[5 .. 12]      version, bootId, sequence, wallTimeMs, generation, plan (JSON, "" for none, "=" for the one that is
                   stored), expiresAtUs of the plan ("" for none), heardAtMs ("" for not known)
then per changed   uuid, "service" | "scientific", "moved" | "" (its set changes too), name, count, since, declared, usage,
                   delay (JSON, "" for none)
then per counted   count, usage, delay ("=" for the one that is stored: of most guests none)
then per departed  uuid

Returns            1 committed, 0 the token did not match, 2 committed, and a hash of a counted guest was not there before

The tick is written last: a script that fails half-way leaves the old token, and the same commit can be repeated.
]]
local TICK_ARGS = 5
local GUEST_ARGS = 13
local ARGS_PER_GUEST = 9
local ARGS_PER_COUNTED = 3

local function keepDelay(key, delay)
  if delay == "=" then
    return
  end
  if delay == "" then
    redis.call("HDEL", key, "delay")
  else
    redis.call("HSET", key, "delay", delay)
  end
end

local token = ""
if redis.call("TYPE", KEYS[1]).ok == "hash" then
  local found = redis.call("HMGET", KEYS[1], "version", "sequence")
  token = (found[1] or "") .. ":" .. (found[2] or "")
end
if token ~= ARGV[1] then
  return 0
end

if ARGV[2] == "reset" then
  for index = 1, #KEYS do
    redis.call("DEL", KEYS[index])
  end
end

local changed = tonumber(ARGV[3])
local counted = tonumber(ARGV[4])
local at = GUEST_ARGS
for index = 1, changed do
  local uuid, class = ARGV[at], ARGV[at + 1]
  if ARGV[at + 2] == "moved" then
    redis.call("DEL", KEYS[3 + index])
    local isService = class == "service"
    redis.call("SREM", isService and KEYS[3] or KEYS[2], uuid)
    redis.call("SADD", isService and KEYS[2] or KEYS[3], uuid)
  end
  redis.call("HSET", KEYS[3 + index], "class", class, "name", ARGV[at + 3], "count", ARGV[at + 4],
    "since", ARGV[at + 5], "declared", ARGV[at + 6], "usage", ARGV[at + 7])
  keepDelay(KEYS[3 + index], ARGV[at + 8])
  at = at + ARGS_PER_GUEST
end
local result = 1
for index = 4 + changed, 3 + changed + counted do
  if redis.call("HSET", KEYS[index], "count", ARGV[at], "usage", ARGV[at + 1]) ~= 0 then
    result = 2
  end
  keepDelay(KEYS[index], ARGV[at + 2])
  at = at + ARGS_PER_COUNTED
end
for index = 4 + changed + counted, #KEYS do
  redis.call("DEL", KEYS[index])
  redis.call("SREM", KEYS[2], ARGV[at])
  redis.call("SREM", KEYS[3], ARGV[at])
  at = at + 1
end

redis.call("HSET", KEYS[1], "version", ARGV[TICK_ARGS], "bootId", ARGV[TICK_ARGS + 1],
  "sequence", ARGV[TICK_ARGS + 2], "wallTimeMs", ARGV[TICK_ARGS + 3], "generation", ARGV[TICK_ARGS + 4],
  "expiresAtUs", ARGV[TICK_ARGS + 6], "heardAtMs", ARGV[TICK_ARGS + 7])
if ARGV[TICK_ARGS + 5] == "" then
  redis.call("HDEL", KEYS[1], "plan", "expiresAtUs")
elseif ARGV[TICK_ARGS + 5] ~= "=" then
  redis.call("HSET", KEYS[1], "plan", ARGV[TICK_ARGS + 5])
end
return result
