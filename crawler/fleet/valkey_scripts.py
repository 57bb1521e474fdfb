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
_NUMBER = """
local function number(token)
  return tonumber(string.match(token or '', '^(%d+)-')) or 0
end
"""
_SETTLES = """
local function settles(known, settling, ms)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  if redis.call('GET', known) ~= run then
    redis.call('SET', known, run)
    redis.call('SET', settling, '1', 'PX', ms)
  end
  return redis.call('EXISTS', settling) == 1
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
TAKE = (
    _SETTLES
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return '- ' end
local home = redis.call('HGET', KEYS[3], ARGV[5])
if settles(KEYS[7], KEYS[5], ARGV[4]) and ARGV[6] ~= 'held' then
  if ARGV[6] == 'state' then redis.call('HSETNX', KEYS[3], ARGV[5], ARGV[3]) end
  return '- '
end
local held = redis.call('GET', KEYS[2])
local owner = held and string.sub(held, string.find(held, ' ', 1, true) + 1)
if owner and owner ~= ARGV[2] then return owner end
if home and home ~= ARGV[3] then return home .. ' ' end
local last = redis.call('HGET', KEYS[6], ARGV[5])
local is_known = not last or #ARGV == 6
for i = 7, #ARGV do is_known = is_known or ARGV[i] == last end
if not is_known then return '! ' end
if not home then redis.call('HSET', KEYS[3], ARGV[5], ARGV[3]) end
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[4])
local told = redis.call('HGET', KEYS[4], ARGV[5])
if told then redis.call('HSET', KEYS[8], ARGV[5], told) end
redis.call('HDEL', KEYS[4], ARGV[5])
redis.call('HSET', KEYS[6], ARGV[5], ARGV[1])
return ''
"""
)
TAKE_OVER = (
    _SETTLES
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if settles(KEYS[7], KEYS[6], ARGV[4]) then return 0 end
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if redis.call('HGET', KEYS[3], ARGV[5]) ~= ARGV[6] then return 0 end
redis.call('HSET', KEYS[3], ARGV[5], ARGV[3])
redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[2], 'PX', ARGV[4])
redis.call('HDEL', KEYS[4], ARGV[5])
redis.call('HDEL', KEYS[10], ARGV[5])
redis.call('HSET', KEYS[5], ARGV[5], ARGV[1])
redis.call('HDEL', KEYS[8], ARGV[3])
local known = redis.call('GET', KEYS[9])
if known then redis.call('SET', KEYS[9], (string.gsub(known, ' all$', ' some'))) end
return 1
"""
)
RENEW = (
    _NUMBER
    + _SETTLES
    + """
local mine = ARGV[1] .. ' ' .. ARGV[2]
local held = redis.call('GET', KEYS[1])
local is_older = settles(KEYS[5], KEYS[4], ARGV[4])
if held and held ~= mine and not is_older then return 0 end
local last = redis.call('HGET', KEYS[3], ARGV[5])
if last and last ~= ARGV[1] and number(last) >= number(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[5], ARGV[3])
redis.call('SET', KEYS[1], mine, 'PX', ARGV[4])
redis.call('HSET', KEYS[3], ARGV[5], ARGV[1])
return 1
"""
)
TELL_LAST = (
    _NUMBER
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return {{}, {}} end
for i = 1, #ARGV, 3 do
  local last = redis.call('HGET', KEYS[2], ARGV[i])
  if not last or number(ARGV[i + 1]) > number(last) then
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
  end
end
return {redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
"""
)
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
CLAIM = (
    _HOLDS
    + """
if not holds(KEYS[1], ARGV[1]) then return {} end
local home, number, amount = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local known = redis.call('GET', KEYS[4])
if known ~= run .. ' all' and known ~= run .. ' some' then
  redis.call('DEL', KEYS[3])
  known = run .. ' some'
  redis.call('SET', KEYS[4], known)
end
local last = redis.call('HGET', KEYS[3], home)
local last_number, last_amount = string.match(last or '-1 0', '(%S+) (%S+)')
last_number, last_amount = tonumber(last_number), tonumber(last_amount)
if last_number > number then return {last_number, 0, 1} end
if last_number == number and last_amount > amount then
  return {number, last_amount - amount, 1}
end
local function set(total)
  redis.call('HSET', KEYS[3], home, string.format('%d %d', number, total))
end
set(amount)
local homes, machines, used, is_whole = {}, 0, 0, true
local shards = redis.call('HGETALL', KEYS[2])
for i = 2, #shards, 2 do
  if not homes[shards[i]] then
    homes[shards[i]] = true
    machines = machines + 1
    local had = redis.call('HGET', KEYS[3], shards[i])
    is_whole = is_whole and had
    used = used + (had and tonumber(string.match(had, '%S+$')) or 0)
  end
end
if known == run .. ' some' then
  if not is_whole or #shards < 2 * tonumber(ARGV[7]) then return {number, 0, 0} end
  redis.call('SET', KEYS[4], run .. ' all')
end
local left = tonumber(ARGV[6]) - used
local most = math.max(1, math.floor(left / machines))
local more = math.max(0, math.min(left, most, tonumber(ARGV[5])))
if more > 0 then set(amount + more) end
return {number, more, 1}
"""
)
STEER = """
local found = redis.call('HMGET', KEYS[1], 'run', 'revision')
if found[1] ~= ARGV[2] or tonumber(found[2]) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'all', ARGV[1], 'revision', ARGV[3])
redis.call('DEL', KEYS[2])
return 1
"""
BEGIN = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[4], KEYS[5])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
redis.call('SET', KEYS[6], run)
if ARGV[3] == '0' then
  redis.call('SET', KEYS[5], run .. ' all')
end
redis.call('HSET', KEYS[1], 'all', ARGV[1], 'run', ARGV[2], 'revision', ARGV[4])
if ARGV[3] ~= '0' then redis.call('SET', KEYS[2], '1', 'EX', ARGV[3]) end
for i = 5, #ARGV, 2 do redis.call('HSETNX', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
"""
