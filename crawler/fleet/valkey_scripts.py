"""The steps at the server of an exchange, as scripts that it runs (Lua 5.1).

Their keys and arguments are those that `valkey_server.py` gives. A lease is kept as
"TOKEN HOME MACHINE", under a key that ends with it.
"""

_HOLDS = """
local function holds(key, token)
  local held = redis.call('GET', key)
  return held and string.sub(held, 1, #token + 1) == token .. ' '
end
"""
POST = (
    _HOLDS
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if not holds(KEYS[1], ARGV[1]) then return 0 end
for i = 3, #ARGV, 6 do
  redis.call('XADD', KEYS[tonumber(ARGV[i])], 'MAXLEN', '~', ARGV[2], '*',
    's', ARGV[i + 1], 'e', ARGV[i + 2], 'n', ARGV[i + 3], 'f', ARGV[i + 4],
    'b', ARGV[i + 5])
end
return 1
"""
)
TELL_SAFE = (
    _HOLDS
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if not holds(KEYS[1], ARGV[1]) then return 0 end
if ARGV[2] ~= '' then redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2]) end
for i = 3, #KEYS do redis.call('HSET', KEYS[i], ARGV[3], ARGV[i + 1]) end
return 1
"""
)
TAKE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return '- ' end
local held = redis.call('GET', KEYS[2])
local owner = held and string.sub(held, string.find(held, ' ', 1, true) + 1)
if owner and owner ~= ARGV[2] then return owner end
local home = redis.call('HGET', KEYS[3], ARGV[5])
if home and home ~= ARGV[3] then return home .. ' ' end
local last = redis.call('HGET', KEYS[6], ARGV[5])
local is_known = not last or #ARGV == 6
for i = 7, #ARGV do is_known = is_known or ARGV[i] == last end
if not is_known then return '! ' end
if not home then
  if ARGV[6] == '0' and redis.call('EXISTS', KEYS[5]) == 1 then return '- ' end
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[3])
end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[4])
redis.call('HDEL', KEYS[4], ARGV[5])
redis.call('HSET', KEYS[6], ARGV[5], ARGV[1])
return ''
"""
TAKE_OVER = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('HGET', KEYS[3], ARGV[5]) ~= ARGV[6] then return 0 end
redis.call('HSET', KEYS[3], ARGV[5], ARGV[3])
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[4])
redis.call('HDEL', KEYS[4], ARGV[5])
redis.call('HSET', KEYS[5], ARGV[5], ARGV[1])
return 1
"""
RENEW = """
local mine = ARGV[1] .. ' ' .. ARGV[2]
local held = redis.call('GET', KEYS[1])
if held and held ~= mine then return 0 end
local home = redis.call('HGET', KEYS[2], ARGV[5])
if home and home ~= ARGV[3] then return 0 end
if not home then redis.call('HSET', KEYS[2], ARGV[5], ARGV[3]) end
redis.call('SET', KEYS[1], mine, 'PX', ARGV[4])
return 1
"""
RELEASE = _HOLDS + "if holds(KEYS[1], ARGV[1]) then redis.call('DEL', KEYS[1]) end"
REPORT = (
    _HOLDS
    + """
for i = 2, #KEYS do
  if holds(KEYS[i], ARGV[3 * i - 5]) then
    redis.call('HSET', KEYS[1], ARGV[3 * i - 4], ARGV[3 * i - 3])
  end
end
"""
)
BEGIN = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'all', ARGV[1], 'run', ARGV[2])
if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], '1', 'EX', ARGV[3]) end
for i = 4, #ARGV, 2 do redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
"""
