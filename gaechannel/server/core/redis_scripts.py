"""What must be done whole in Redis, as Lua.

All keys of a server carry one hash tag, and so are on one slot; a script builds their names from the prefix
that is its first key. A session is a hash (``s:SID``) and a stream (``a:SID``) whose entries have the
arrays' ids: ``ID-1``, since a stream has no ``0-0``; who has acknowledged all has no stream. A client id has
a set of the sessions that hear it (``c:ID``; ``present`` has the client ids that have one), a list of what
is held (``h:ID``), how many sessions it has, hearing or not, in the hash ``sessions``, and the time when its
last token ends, in a sorted set (``channels``). ``leases`` says until when each session is kept without being
heard of; its times are Redis' own: no node's clock counts.

A node is told on its channel (``n:NODE``) of arrays, small ones and all, once a run however many there are;
all nodes are told on one (``p``) of client ids that come and go.
"""

from __future__ import annotations

_HEAD = """
local P = KEYS[1]
local call = redis.call
local function now()
    local t = call('TIME')
    return t[1] * 1000 + math.floor(t[2] / 1000)
end
"""

#: What runs though Redis is full: it keeps or frees what there is.
_FREEING = "#!lua flags=allow-oom\n" + _HEAD

#: Adds arrays to sessions: each is read once and written once in a run, by ``keep``.
_ADD = """
local sessions, changed, told = {}, {}, {}
local function open(sid)
    local one = sessions[sid]
    if one == nil then
        local found = call('HMGET', P .. 's:' .. sid, 'next', 'bytes', 'stopped', 'prefix', 'node')
        one = found[1] and {next = tonumber(found[1]), bytes = tonumber(found[2]), stopped = found[3],
            prefix = found[4], node = found[5]}
        sessions[sid] = one
    end
    return one
end
local function add(sid, one, data)
    local id = one.next
    local array = '[' .. id .. ',' .. data .. ']'
    call('XADD', P .. 'a:' .. sid, id .. '-1', 'a', array)
    one.next, one.bytes, changed[sid] = id + 1, one.bytes + #array, one
    if one.node ~= '' then
        local lines = told[one.node]
        if not lines then
            lines = {'arrays'}
            told[one.node] = lines
        end
        lines[#lines + 1] = sid .. ' ' .. (#array > 8192 and '' or array)
    end
    return id
end
local function keep()
    for sid, one in pairs(changed) do
        call('HSET', P .. 's:' .. sid, 'next', one.next, 'bytes', one.bytes)
    end
    for node, lines in pairs(told) do
        call('PUBLISH', P .. 'n:' .. node, table.concat(lines, '\\n'))
    end
end
"""

_READ = """
local function arrays(sid, from)
    local found = {}
    for _, one in ipairs(call('XRANGE', P .. 'a:' .. sid, from .. '-0', '+')) do
        found[#found + 1] = one[2][2]
    end
    return found
end
"""

#: Whether a session has never had so many arrays here.
_PAST = """
local function past(sid, id)
    return id >= tonumber(call('HGET', P .. 's:' .. sid, 'next'))
end
"""

#: Forgets arrays that have arrived. An AID past the last array counts as that one.
_TRIM = """
local function trim(sid, aid)
    local s, a = P .. 's:' .. sid, P .. 'a:' .. sid
    local found = call('HMGET', s, 'next', 'base')
    local last = found[1] - 1
    aid = math.min(aid, last)
    if aid < tonumber(found[2]) then return end
    if aid == last then
        call('DEL', a)
        call('HSET', s, 'base', aid + 1, 'bytes', 0)
        return
    end
    local gone = 0
    for _, one in ipairs(call('XRANGE', a, '-', aid .. '-1')) do
        gone = gone + #one[2][2]
    end
    call('XTRIM', a, 'MINID', (aid + 1) .. '-0')
    call('HSET', s, 'base', aid + 1, 'bytes', call('HGET', s, 'bytes') - gone)
end
"""

_MINE = """
local function mine(sid, epoch)
    return call('HGET', P .. 's:' .. sid, 'epoch') == epoch
end
"""

_FORGET = """
local function forget(sid)
    local s = P .. 's:' .. sid
    local found = call('HMGET', s, 'client', 'node')
    local client, node, last = found[1], found[2], 0
    if client then
        local c = P .. 'c:' .. client
        if call('SREM', c, sid) == 1 and call('EXISTS', c) == 0 then
            last = 1
            call('SREM', P .. 'present', client)
            call('PUBLISH', P .. 'p', 'disconnected\\n' .. client)
        end
        if call('HINCRBY', P .. 'sessions', client, -1) <= 0 then
            call('HDEL', P .. 'sessions', client)
        end
    end
    call('DEL', s, P .. 'a:' .. sid)
    call('ZREM', P .. 'leases', sid)
    if node and node ~= '' then
        call('PUBLISH', P .. 'n:' .. node, 'gone\\n' .. sid)
    end
    return {client or '', last}
end
"""

#: sid, client, facts, lease in ms, what stands before a message's literal, most sessions, most of a client,
#: the session that it replaces or "", data… of its first arrays. Returns 1, or -1, -2 where there are as many
#: already, and the client that was gone with the one that it replaces.
BEGIN = (
    _HEAD
    + _ADD
    + _FORGET
    + """
local sid, client, old = ARGV[1], ARGV[2], ARGV[8]
local s = P .. 's:' .. sid
if call('EXISTS', s) == 1 then return {1, ''} end
local replaced = 0
if old ~= '' and call('HGET', P .. 's:' .. old, 'client') == client then replaced = 1 end
if call('ZCARD', P .. 'leases') - replaced >= tonumber(ARGV[6]) then return {-1, ''} end
local count = call('HGET', P .. 'sessions', client)
if count and count - replaced >= tonumber(ARGV[7]) then return {-2, ''} end
local gone = ''
call('HINCRBY', P .. 'sessions', client, 1)
if replaced == 1 and forget(old)[2] == 1 then gone = client end
call('HSET', s, 'client', client, 'facts', ARGV[3], 'next', 0, 'base', 0, 'maps', 0, 'rid', -1,
    'epoch', 0, 'node', '', 'bytes', 0, 'stopped', '', 'connected', 0, 'prefix', ARGV[5])
local one = open(sid)
for i = 9, #ARGV do
    add(sid, one, ARGV[i])
end
keep()
call('ZADD', P .. 'leases', now() + ARGV[4], sid)
return {1, gone}
"""
)

#: sid, lease: the facts of a session that a request names; it has been heard of.
FIND = (
    _FREEING
    + """
local facts = call('HGET', P .. 's:' .. ARGV[1], 'facts')
if facts then call('ZADD', P .. 'leases', now() + ARGV[2], ARGV[1]) end
return facts
"""
)

#: sid, node, aid, lease: fence, acknowledge, read. The one before hears that it is fenced. Nothing where
#: there is no session, or its client has an array that has never been: Redis has forgotten it.
ATTACH = (
    _FREEING
    + _PAST
    + _TRIM
    + _READ
    + """
local sid, s = ARGV[1], P .. 's:' .. ARGV[1]
local before = call('HGET', s, 'node')
if not before or past(sid, tonumber(ARGV[3])) then return false end
local epoch = call('HINCRBY', s, 'epoch', 1)
call('HSET', s, 'node', ARGV[2])
trim(sid, tonumber(ARGV[3]))
call('ZADD', P .. 'leases', now() + ARGV[4], sid)
if before ~= '' and before ~= ARGV[2] then
    call('PUBLISH', P .. 'n:' .. before, 'fenced\\n' .. sid .. '\\n' .. epoch)
end
local found = call('HMGET', s, 'base', 'stopped')
return {tostring(epoch), found[1], found[2], arrays(sid, found[1])}
"""
)

#: sid, epoch, lease: the back channel has ended.
DETACH = (
    _FREEING
    + _MINE
    + """
if mine(ARGV[1], ARGV[2]) then
    call('HSET', P .. 's:' .. ARGV[1], 'node', '')
    call('ZADD', P .. 'leases', 'XX', now() + ARGV[3], ARGV[1])
end
return 1
"""
)

#: sid, epoch or "", from: arrays from there on; nothing where the session is another's, or the one before has
#: never been.
READ = (
    _FREEING
    + _PAST
    + _MINE
    + _READ
    + """
if call('EXISTS', P .. 's:' .. ARGV[1]) == 0 then return false end
if ARGV[2] ~= '' and not mine(ARGV[1], ARGV[2]) then return false end
if past(ARGV[1], ARGV[3] - 1) then return false end
return arrays(ARGV[1], ARGV[3])
"""
)

#: sid, epoch, data: one array, by whom the session is.
APPEND = (
    _HEAD
    + _ADD
    + _MINE
    + """
local one = open(ARGV[1])
if not one or one.stopped ~= '' or not mine(ARGV[1], ARGV[2]) then return -1 end
local id = add(ARGV[1], one, ARGV[3])
keep()
return id
"""
)

#: sid, aid, lease, first or "", count, rid, again, connect: whether they have the session listen, a key: a
#: request with so many maps. It acknowledges, and says which maps are new; what was answered to a key is
#: answered again, though all maps have been taken since. Returns how many maps are not new, whether its
#: client has come, whether it has a back channel, and the last array's id; nothing where there is no session.
RECEIVE = (
    _FREEING
    + _ADD
    + _TRIM
    + """
local sid, s = ARGV[1], P .. 's:' .. ARGV[1]
local found = call('HMGET', s, 'maps', 'rid', 'client', 'connected', 'asked', 'skip', 'came', 'stopped')
if not found[1] then return false end
local skip, came = tonumber(found[6]), tonumber(found[7])
if found[5] ~= ARGV[9] then
    if found[8] ~= '' then return false end
    local next_map, first, count = tonumber(found[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
    if not first then
        first = next_map
        if ARGV[7] == '1' and ARGV[6] == found[2] then count = 0 end
    end
    skip, came = math.min(count, math.max(0, next_map - first)), 0
    if ARGV[8] == '1' and found[4] == '0' and skip < count then
        local c, h = P .. 'c:' .. found[3], P .. 'h:' .. found[3]
        local one = open(sid)
        for _, literal in ipairs(call('LRANGE', h, 0, -1)) do
            add(sid, one, one.prefix .. literal .. ']]]')
        end
        keep()
        call('HSET', s, 'connected', 1)
        if call('EXISTS', c) == 0 then
            came = 1
            call('SADD', P .. 'present', found[3])
            call('PUBLISH', P .. 'p', 'connected\\n' .. found[3])
        end
        call('SADD', c, sid)
        call('DEL', h)
    end
    if count > 0 then
        call('HSET', s, 'maps', math.max(next_map, first + count), 'rid', ARGV[6],
            'asked', ARGV[9], 'skip', skip, 'came', came)
    end
    trim(sid, tonumber(ARGV[2]))
end
call('ZADD', P .. 'leases', now() + ARGV[3], sid)
local stands = call('HMGET', s, 'node', 'next')
return {skip, came, stands[1] ~= '' and 1 or 0, stands[2] - 1}
"""
)

#: hold, limit, a key, seconds for which it is known, then client and literal of each message in one word,
#: with a byte 255 between them, which UTF-8 has not: to all of its client's sessions, or held; in this order,
#: all or none, and once, though it is asked twice with the same key. Returns how many heard each, in words;
#: -1: there is no such channel.
SEND = (
    _HEAD
    + _ADD
    + """
local hold, limit, k = tonumber(ARGV[1]), tonumber(ARGV[2]), P .. 'i:' .. ARGV[3]
local before = call('GET', k)
if before then return before end
local function send(client, literal)
    local sids = call('SMEMBERS', P .. 'c:' .. client)
    if #sids == 0 then
        local expires = call('ZSCORE', P .. 'channels', client)
        if not expires or tonumber(expires) <= now() then return -1 end
        if hold > 0 and call('RPUSH', P .. 'h:' .. client, literal) > hold then
            call('LTRIM', P .. 'h:' .. client, -hold, -1)
        end
        return 0
    end
    for _, sid in ipairs(sids) do
        local one = open(sid)
        if one and one.stopped == '' then
            if one.bytes + #literal > limit then
                add(sid, one, '["stop"]')
                one.stopped = 'overflow'
                call('HSET', P .. 's:' .. sid, 'stopped', one.stopped)
            else
                add(sid, one, one.prefix .. literal .. ']]]')
            end
        end
    end
    return #sids
end
local heard = {}
local words, at, client = ARGV[5], 1, nil
while at do
    local till = string.find(words, '\\255', at, true)
    local word = string.sub(words, at, till and till - 1)
    at = till and till + 1
    if client then
        heard[#heard + 1], client = send(client, word), nil
    else
        client = word
    end
end
keep()
heard = table.concat(heard, ' ')
call('SET', k, heard, 'EX', ARGV[4])
return heard
"""
)

#: client, expires in ms since 1970.
CREATE = (
    _HEAD
    + """
call('ZADD', P .. 'channels', 'GT', ARGV[2], ARGV[1])
return 1
"""
)

#: sid, a key: it is not there any more. Returns its client, and whether that was its last session; the same
#: to who asks twice with the same key.
END = (
    _FREEING
    + _FORGET
    + """
local k = P .. 'r:' .. ARGV[2]
local before = call('GET', k)
if before then return {before, 1} end
local one = forget(ARGV[1])
if one[2] == 1 then call('SET', k, one[1], 'EX', 60) end
return one
"""
)

#: lease, sid…: back channels that are open keep their sessions.
LEASE = (
    _FREEING
    + """
local till, words = now() + ARGV[1], {}
for i = 2, #ARGV do
    words[#words + 1] = till
    words[#words + 1] = ARGV[i]
end
call('ZADD', P .. 'leases', 'XX', unpack(words))
return 1
"""
)

#: most, a key, lease: sessions that nobody has heard of, and channels whose tokens have ended, go. Returns
#: how many sessions and channels there are then, and the clients whose last sessions went; the same of these,
#: and more, to who asks twice with the same key. Where nobody has looked for long, Redis, or all nodes, were
#: away, or its clock was put forward: nobody could be heard of, and all sessions have one lease more.
EXPIRE = (
    _FREEING
    + _FORGET
    + """
local k = P .. 'r:' .. ARGV[2]
local gone = call('LRANGE', k, 0, -1)
local looked = call('HMGET', P .. 'looked', 'last', 'grace')
local passed, grace = now() - (looked[1] or 0), tonumber(looked[2] or 0)
call('HSET', P .. 'looked', 'last', now())
local function ended(key)
    return call('ZRANGE', P .. key, '-inf', now(), 'BYSCORE', 'LIMIT', 0, ARGV[1])
end
if passed < 0 or passed > ARGV[3] / 2 then
    call('HSET', P .. 'looked', 'grace', now() + ARGV[3])
elseif now() >= grace or grace > now() + ARGV[3] then
    for _, sid in ipairs(ended('leases')) do
        local one = forget(sid)
        if one[2] == 1 then
            gone[#gone + 1] = one[1]
            call('RPUSH', k, one[1])
        end
    end
    if #gone > 0 then call('EXPIRE', k, 60) end
    for _, client in ipairs(ended('channels')) do
        call('ZREM', P .. 'channels', client)
        if call('EXISTS', P .. 'c:' .. client) == 0 then call('DEL', P .. 'h:' .. client) end
    end
end
return {call('ZCARD', P .. 'leases'), call('ZCARD', P .. 'channels'), gone}
"""
)

#: The client ids that somebody hears.
PRESENT = _HEAD + "return call('SMEMBERS', P .. 'present')"

#: key: the secret that signs tokens, the first that anybody says.
KEY = (
    _HEAD
    + """
call('SET', P .. 'key', ARGV[1], 'NX')
return call('GET', P .. 'key')
"""
)
