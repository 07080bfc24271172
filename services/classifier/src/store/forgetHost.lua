--[[
Removes one host, or changes nothing.

KEYS[1]     tick hash
KEYS[2]     set of service guests, KEYS[3] set of scientific guests
KEYS[4 ..]  hashes of its guests

ARGV[1]     token that must be in the store, as in commitTick.lua

Returns     1 removed, 0 the token did not match
]]
local token = ""
if redis.call("TYPE", KEYS[1]).ok == "hash" then
  local found = redis.call("HMGET", KEYS[1], "version", "sequence")
  token = (found[1] or "") .. ":" .. (found[2] or "")
end
if token ~= ARGV[1] then
  return 0
end
for index = 1, #KEYS do
  redis.call("DEL", KEYS[index])
end
return 1
