--[[
Says which host a guest is on. One key, so that it needs no slot of any host.

KEYS[1]   hash of the guest: host, and what was known of it when it last left a host or was taken from one: from, carried (JSON)

ARGV[1]   "arrive": it is on the host now; where the key names another host, no change
          "take": it is on the host now, whatever was there before
          "leave": it left the host; where the key names another host, no change
ARGV[2]   the host
ARGV[3]   take: the host that `carried` speaks of
ARGV[4]   take, leave: carried (JSON), "" for none
ARGV[5]   leave: milliseconds for which to keep it

Returns   {host, from, carried} as they were, "" for what was not there

Repeating any of them gives the same key.
]]
if redis.call("TYPE", KEYS[1]).ok ~= "hash" then
  redis.call("DEL", KEYS[1])
end
local found = redis.call("HMGET", KEYS[1], "host", "from", "carried")
local host, from, carried = found[1] or "", found[2] or "", found[3] or ""
local before = { host, from, carried }
local mode, new_host = ARGV[1], ARGV[2]

if mode ~= "take" and host ~= "" and host ~= new_host then
  return before
end
if mode == "take" then
  from, carried = ARGV[3], ARGV[4]
elseif mode == "leave" then
  from, carried = new_host, ARGV[4]
end

redis.call("DEL", KEYS[1]) -- and with it the time after which it goes
if carried == "" then
  redis.call("HSET", KEYS[1], "host", new_host)
else
  redis.call("HSET", KEYS[1], "host", new_host, "from", from, "carried", carried)
end
if mode == "leave" then
  -- A user of Redis from before this script may not: then the key stays.
  redis.pcall("PEXPIRE", KEYS[1], ARGV[5])
end
return before
