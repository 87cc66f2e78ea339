"""What must be done whole in Redis, as Lua.

All keys of a server carry one hash tag, and so are on one slot; a script builds their names from the prefix
that is its first key. A session is a hash (``s:SID``) and a stream (``a:SID``) whose entries have the
arrays' ids: ``ID-1``, since a stream has no ``0-0``. A client id has a set of the sessions that hear it
(``c:ID``), a list of what is held (``h:ID``), and the time when its last token ends, in a sorted set
(``channels``). ``leases`` says until when each session is kept without being heard of; its times are Redis'
own: no node's clock counts.
"""

from __future__ import annotations

_HEAD = """
local P = KEYS[1]
local function now()
    local t = redis.call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end
local function add(sid, data)
    local s = P .. 's:' .. sid
    local id = redis.call('HINCRBY', s, 'next', 1) - 1
    local array = '[' .. id .. ',' .. data .. ']'
    redis.call('XADD', P .. 'a:' .. sid, id .. '-1', 'a', array)
    redis.call('HINCRBY', s, 'bytes', #array)
    local node = redis.call('HGET', s, 'node')
    if node and node ~= '' then
        redis.call('PUBLISH', P .. 'n:' .. node, 'array\\n' .. sid .. '\\n' .. id .. '\\n' .. array)
    end
    return id
end
local function trim(sid, aid)
    if aid < 0 then return end
    local s, a = P .. 's:' .. sid, P .. 'a:' .. sid
    local gone = 0
    for _, one in ipairs(redis.call('XRANGE', a, '-', aid .. '-1')) do
        gone = gone + #one[2][2]
    end
    if gone > 0 then
        redis.call('XTRIM', a, 'MINID', (aid + 1) .. '-0')
        redis.call('HINCRBY', s, 'bytes', -gone)
    end
    if aid + 1 > tonumber(redis.call('HGET', s, 'base')) then
        redis.call('HSET', s, 'base', aid + 1)
    end
end
local function mine(sid, epoch)
    return redis.call('HGET', P .. 's:' .. sid, 'epoch') == epoch
end
local function arrays(sid, from)
    local found = {}
    for _, one in ipairs(redis.call('XRANGE', P .. 'a:' .. sid, from .. '-0', '+')) do
        found[#found + 1] = one[2][2]
    end
    return found
end
local function forget(sid)
    local s = P .. 's:' .. sid
    local client = redis.call('HGET', s, 'client')
    local last = 0
    if client then
        local c = P .. 'c:' .. client
        if redis.call('SREM', c, sid) == 1 and redis.call('SCARD', c) == 0 then last = 1 end
    end
    local node = redis.call('HGET', s, 'node')
    redis.call('DEL', s, P .. 'a:' .. sid)
    redis.call('ZREM', P .. 'leases', sid)
    if node and node ~= '' then
        redis.call('PUBLISH', P .. 'n:' .. node, 'gone\\n' .. sid)
    end
    return {client or '', last}
end
"""

#: sid, client, facts, lease in ms, what stands before a message's literal, data… of its first arrays.
BEGIN = (
    _HEAD
    + """
local sid, s = ARGV[1], P .. 's:' .. ARGV[1]
if redis.call('EXISTS', s) == 1 then return 0 end
redis.call('HSET', s, 'client', ARGV[2], 'facts', ARGV[3], 'next', 0, 'base', 0, 'maps', 0, 'rid', -1,
    'epoch', 0, 'node', '', 'bytes', 0, 'stopped', '', 'connected', 0, 'prefix', ARGV[5])
for i = 6, #ARGV do
    add(sid, ARGV[i])
end
redis.call('ZADD', P .. 'leases', now() + ARGV[4], sid)
return 1
"""
)

#: sid, lease: what there is of a session that a request names; it has been heard of.
FIND = (
    _HEAD
    + """
local s = P .. 's:' .. ARGV[1]
local found = redis.call('HMGET', s, 'facts', 'stopped', 'node', 'next')
if not found[1] then return false end
redis.call('ZADD', P .. 'leases', now() + ARGV[2], ARGV[1])
return found
"""
)

#: sid, node, aid, lease: fence, acknowledge, read. The one before hears that it is fenced.
ATTACH = (
    _HEAD
    + """
local sid, s = ARGV[1], P .. 's:' .. ARGV[1]
if redis.call('EXISTS', s) == 0 then return false end
local before = redis.call('HGET', s, 'node')
local epoch = redis.call('HINCRBY', s, 'epoch', 1)
redis.call('HSET', s, 'node', ARGV[2])
local last = redis.call('HGET', s, 'next') - 1
trim(sid, math.min(ARGV[3], last))
redis.call('ZADD', P .. 'leases', now() + ARGV[4], sid)
if before ~= '' and before ~= ARGV[2] then
    redis.call('PUBLISH', P .. 'n:' .. before, 'fenced\\n' .. sid .. '\\n' .. epoch)
end
local base = redis.call('HGET', s, 'base')
return {tostring(epoch), base, redis.call('HGET', s, 'stopped'), arrays(sid, base)}
"""
)

#: sid, epoch: the back channel has ended.
DETACH = (
    _HEAD
    + """
if mine(ARGV[1], ARGV[2]) then redis.call('HSET', P .. 's:' .. ARGV[1], 'node', '') end
return 1
"""
)

#: sid, aid.
TRIM = (
    _HEAD
    + """
if redis.call('EXISTS', P .. 's:' .. ARGV[1]) == 1 then
    trim(ARGV[1], math.min(ARGV[2], redis.call('HGET', P .. 's:' .. ARGV[1], 'next') - 1))
end
return 1
"""
)

#: sid, epoch or "", from: arrays from there on; nothing where the session is another's.
READ = (
    _HEAD
    + """
if redis.call('EXISTS', P .. 's:' .. ARGV[1]) == 0 then return false end
if ARGV[2] ~= '' and not mine(ARGV[1], ARGV[2]) then return false end
return arrays(ARGV[1], ARGV[3])
"""
)

#: sid, epoch, data: one array, by whom the session is.
APPEND = (
    _HEAD
    + """
local s = P .. 's:' .. ARGV[1]
if redis.call('EXISTS', s) == 0 or not mine(ARGV[1], ARGV[2]) then return -1 end
if redis.call('HGET', s, 'stopped') ~= '' then return -1 end
return add(ARGV[1], ARGV[3])
"""
)

#: sid, first or "", count, rid, again: which maps are new. connect: whether they have the session listen. A
#: key: what was answered to it is answered again, though all maps have been taken since.
MAPS = (
    _HEAD
    + """
local sid, s = ARGV[1], P .. 's:' .. ARGV[1]
local found = redis.call('HMGET', s, 'maps', 'rid', 'client', 'connected', 'asked', 'skip', 'came', 'prefix')
if not found[1] then return false end
if found[5] == ARGV[7] then return {tonumber(found[6]), tonumber(found[7])} end
local next_map, first, count = tonumber(found[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local seen = ARGV[5] == '1' and ARGV[4] == found[2]
if not first then
    first = next_map
    if seen then count = 0 end
end
local skip = math.min(count, math.max(0, next_map - first))
redis.call('HSET', s, 'maps', math.max(next_map, first + count), 'rid', ARGV[4])
local came = 0
if ARGV[6] == '1' and found[4] == '0' and skip < count then
    redis.call('HSET', s, 'connected', 1)
    local c, h = P .. 'c:' .. found[3], P .. 'h:' .. found[3]
    if redis.call('SCARD', c) == 0 then came = 1 end
    redis.call('SADD', c, sid)
    for _, literal in ipairs(redis.call('LRANGE', h, 0, -1)) do
        add(sid, found[8] .. literal .. ']]]')
    end
    redis.call('DEL', h)
end
redis.call('HSET', s, 'asked', ARGV[7], 'skip', skip, 'came', came)
return {skip, came}
"""
)

_SEND = """
local function send(client, literal, hold, limit, key)
    local sids = redis.call('SMEMBERS', P .. 'c:' .. client)
    local expires = redis.call('ZSCORE', P .. 'channels', client)
    if #sids == 0 and (not expires or tonumber(expires) <= now()) then return -1 end
    if not redis.call('SET', P .. 'i:' .. key, 1, 'NX', 'EX', 600) then return -2 end
    if #sids == 0 then
        if tonumber(hold) > 0 then
            redis.call('RPUSH', P .. 'h:' .. client, literal)
            redis.call('LTRIM', P .. 'h:' .. client, -hold, -1)
        end
        return 0
    end
    for _, sid in ipairs(sids) do
        local s = P .. 's:' .. sid
        local found = redis.call('HMGET', s, 'stopped', 'bytes', 'prefix')
        if found[1] == '' then
            if found[2] + #literal > tonumber(limit) then
                add(sid, '["stop"]')
                redis.call('HSET', s, 'stopped', 'overflow')
            else
                add(sid, found[3] .. literal .. ']]]')
            end
        end
    end
    return #sids
end
"""

#: client, literal, hold, limit, a key: to all of its sessions, or held; once, though it is asked twice with
#: the same key. Returns how many heard it; -1: there is no such channel; -2: it has been sent already.
SEND = _HEAD + _SEND + "return send(unpack(ARGV))"

#: The same five of each message: sends them in this order, all or none. Returns what SEND does of each.
SEND_MANY = (
    _HEAD
    + _SEND
    + """
local heard = {}
for i = 1, #ARGV, 5 do
    heard[#heard + 1] = send(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4])
end
return heard
"""
)

#: client, expires in ms since 1970.
CREATE = (
    _HEAD
    + """
redis.call('ZADD', P .. 'channels', 'GT', ARGV[2], ARGV[1])
return 1
"""
)

#: sid, a key: it is not there any more. Returns its client, and whether that was its last session; the same
#: to who asks twice with the same key.
END = (
    _HEAD
    + """
local k = P .. 'r:' .. ARGV[2]
local before = redis.call('GET', k)
if before then return {before, 1} end
local one = forget(ARGV[1])
if one[2] == 1 then redis.call('SET', k, one[1], 'EX', 60) end
return one
"""
)

#: lease, sid…: back channels that are open keep their sessions.
LEASE = (
    _HEAD
    + """
local till = now() + ARGV[1]
for i = 2, #ARGV do
    redis.call('ZADD', P .. 'leases', 'XX', till, ARGV[i])
end
return 1
"""
)

#: most, a key, lease: sessions that nobody has heard of, and channels whose tokens have ended, go. Returns
#: the clients whose last sessions those were; the same, and more, to who asks twice with the same key. Where
#: nobody has looked for long, Redis, or all nodes, were away, or its clock was put forward: nobody could be
#: heard of, and all sessions have one lease more.
EXPIRE = (
    _HEAD
    + """
local k = P .. 'r:' .. ARGV[2]
local gone = redis.call('LRANGE', k, 0, -1)
local looked = redis.call('HMGET', P .. 'looked', 'last', 'grace')
local passed = now() - (looked[1] or 0)
redis.call('HSET', P .. 'looked', 'last', now())
if passed < 0 or passed > ARGV[3] / 2 then
    redis.call('HSET', P .. 'looked', 'grace', now() + ARGV[3])
    return gone
end
if now() < tonumber(looked[2]) and tonumber(looked[2]) <= now() + ARGV[3] then return gone end
for _, sid in ipairs(redis.call('ZRANGE', P .. 'leases', '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[1])) do
    local one = forget(sid)
    if one[2] == 1 then
        gone[#gone + 1] = one[1]
        redis.call('RPUSH', k, one[1])
    end
end
redis.call('EXPIRE', k, 60)
local ended = redis.call('ZRANGE', P .. 'channels', '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[1])
for _, client in ipairs(ended) do
    redis.call('ZREM', P .. 'channels', client)
    if redis.call('SCARD', P .. 'c:' .. client) == 0 then redis.call('DEL', P .. 'h:' .. client) end
end
return gone
"""
)

#: key: the secret that signs tokens, the first that anybody says.
KEY = (
    _HEAD
    + """
redis.call('SET', P .. 'key', ARGV[1], 'NX')
return redis.call('GET', P .. 'key')
"""
)
