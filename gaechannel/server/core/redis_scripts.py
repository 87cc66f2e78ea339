"""What must be done whole in Redis, as Lua.

All keys of a server carry one hash tag, and so are on one slot; a script builds their names from the prefix
that is its first key. A session is a hash (``s:SID``) and a stream (``a:SID``) whose entries have the
arrays' ids: ``ID-1``, since a stream has no ``0-0``; who has acknowledged all has no stream. A client id has
a hash of its sessions (``c:ID``), which holds of each, as one record, what a message must know and change; a
list of what is held (``h:ID``), and the time when its last token ends, in a sorted set (``channels``).
``present`` has the client ids that a session hears. ``leases`` says until when each session is kept without
being heard of; its times are Redis' own: no node's clock counts. ``life`` says which Redis it is that all
this is in: see ``LIVE``.

A record is a session's state (``0``: it does not hear its client yet, ``1``: it does, ``x``: it has been
stopped), the next array's id, the bytes that are not acknowledged, the node of its back channel or ``-``, and
what stands before a message's literal.

A Redis that begins anew may have forgotten the last arrays, whose ids must be given to no others. So a
session is in doubt from then on: arrays get ids past ``FAR``, which nobody is told, until its client, or the
node that has its back channel, says which ids there have been (``settle``).

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

#: Sessions' records, and those of them that have changed.
_RECORDS = """
local fmt, FAR = string.format, 4294967296
local changed = {}
local function parse(client, sid, record)
    local state, next, bytes, node, prefix = string.match(record, '^(.) (%d+) (%d+) (%S+) (.*)$')
    return {client = client, sid = sid, state = state, next = tonumber(next), bytes = tonumber(bytes),
        node = node, prefix = prefix}
end
local function open(sid)
    local client = call('HGET', P .. 's:' .. sid, 'client')
    local record = client and call('HGET', P .. 'c:' .. client, sid)
    return record and parse(client, sid, record)
end
local function open_all(client)
    local all, found = {}, call('HGETALL', P .. 'c:' .. client)
    for i = 1, #found, 2 do
        all[#all + 1] = parse(client, found[i], found[i + 1])
    end
    return all
end
local function keep()
    for one in pairs(changed) do
        call('HSET', P .. 'c:' .. one.client, one.sid,
            fmt('%s %d %d %s %s', one.state, one.next, one.bytes, one.node, one.prefix))
    end
    changed = {}
end
"""

#: Adds arrays to sessions, and tells their nodes. Few strings are made: for each, Lua looks at all its bytes.
_ADD = """
local told = {}
local function add(one, before, data, after)
    local id = fmt('%d', one.next)
    local array = '[' .. id .. ',' .. before .. data .. after .. ']'
    call('XADD', P .. 'a:' .. one.sid, id .. '-1', 'a', array)
    one.next, one.bytes, changed[one] = one.next + 1, one.bytes + #array, true
    local node = one.node
    if node ~= '-' and one.next < FAR then
        local lines = told[node]
        if not lines then
            lines = {'arrays'}
            told[node] = lines
        end
        local n = #lines
        lines[n + 1], lines[n + 2] = '\\n', one.sid
        lines[n + 3], lines[n + 4] = ' ', #array > 8192 and '' or array
    end
    return id
end
local function tell()
    keep()
    for node, lines in pairs(told) do
        call('PUBLISH', P .. 'n:' .. node, table.concat(lines))
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

#: Forgets arrays that have arrived, and returns the id of the first that has not. An AID past the last array
#: counts as that one.
_TRIM = """
local function trim(one, aid)
    local s, a = P .. 's:' .. one.sid, P .. 'a:' .. one.sid
    local base = call('HGET', s, 'base')
    aid = math.min(aid, one.next - 1)
    if aid < tonumber(base) then return base end
    local gone, all = 0, one.bytes
    if aid < one.next - 1 and all > 0 then
        for _, entry in ipairs(call('XRANGE', a, '-', fmt('%d-1', aid))) do
            gone = gone + #entry[2][2]
        end
    else
        gone = all
    end
    if gone == all then
        call('DEL', a)
    else
        call('XTRIM', a, 'MINID', fmt('%d-0', aid + 1))
    end
    one.bytes, changed[one] = all - gone, true
    base = fmt('%d', aid + 1)
    call('HSET', s, 'base', base)
    return base
end
"""

#: Gives the arrays of a session in doubt the ids that follow the last that there has been, or that its client
#: has acknowledged meanwhile. Those that Redis has forgotten, and that its client may not have had, become
#: keep-alives.
_SETTLE = """
local function settle(one, last, fill)
    if one.next < FAR then return end
    local s, a = P .. 's:' .. one.sid, P .. 'a:' .. one.sid
    local told, far = call('HMGET', s, 'next', 'base'), {}
    local next = math.max(told[1], told[2])
    for _, entry in ipairs(call('XRANGE', a, FAR, '+')) do
        far[#far + 1] = string.match(entry[2][2], ',.*$')
        one.bytes = one.bytes - #entry[2][2]
    end
    if #far > 0 then
        local kept = call('XRANGE', a, '-', '(' .. FAR)
        call('DEL', a)
        for _, entry in ipairs(kept) do
            call('XADD', a, entry[1], 'a', entry[2][2])
        end
    end
    local function append(rest)
        local array = fmt('[%d', next) .. rest
        call('XADD', a, fmt('%d-1', next), 'a', array)
        one.bytes, next = one.bytes + #array, next + 1
    end
    while fill and next <= last do
        append(',["noop"]]')
    end
    next = math.max(next, last + 1)
    for _, rest in ipairs(far) do
        append(rest)
    end
    one.next, changed[one] = next, true
end
"""

_MINE = """
local function mine(sid, epoch)
    return call('HGET', P .. 's:' .. sid, 'epoch') == epoch
end
"""

#: What a session's end takes with it.
_FORGET = """
local function hears(client)
    for _, one in ipairs(open_all(client)) do
        if one.state ~= '0' then return true end
    end
    return false
end
local function forget(sid)
    local one, last = open(sid), 0
    if one then
        call('HDEL', P .. 'c:' .. one.client, sid)
        if one.state ~= '0' and not hears(one.client) then
            last = 1
            call('SREM', P .. 'present', one.client)
            call('PUBLISH', P .. 'p', 'disconnected\\n' .. one.client)
        end
    end
    call('DEL', P .. 's:' .. sid, P .. 'a:' .. sid)
    call('ZREM', P .. 'leases', sid)
    if one and one.node ~= '-' then
        call('PUBLISH', P .. 'n:' .. one.node, 'gone\\n' .. sid)
    end
    return {one and one.client or '', last}
end
"""

#: What is asked first on each new connection: which Redis this is, and since when. Where it is another than
#: was asked before, by whichever node, or has been started again, all sessions are in doubt: who was told
#: something else before is to read its own. Epochs go on from the time in µs, past all that it may have
#: forgotten. What is written in another way than here is left alone, and so are its nodes.
LIVE = (
    _FREEING
    + _RECORDS
    + """
local run = string.match(call('INFO', 'server'), 'run_id:(%x+)')
local before = call('HMGET', P .. 'life', 'run', 'since', 'form')
if (before[3] or '1') ~= '1' or not before[1] and call('EXISTS', P .. 'leases') == 1 then
    return redis.error_reply('ERR another version of gaechannel has its sessions in ' .. P .. '*')
end
if before[1] == run then return run .. ' ' .. before[2] end
local since, t = 0, call('TIME')
if before[1] then since = math.max(t[1] * 1000000 + t[2], before[2] + 1000000) end
since = fmt('%d', since)
call('HSET', P .. 'life', 'run', run, 'since', since, 'form', 1)
for _, sid in ipairs(before[1] and call('ZRANGE', P .. 'leases', 0, -1) or {}) do
    local one = open(sid)
    if one and one.next < FAR then
        call('HSET', P .. 's:' .. sid, 'next', fmt('%d', one.next))
        one.next, changed[one] = one.next + FAR, true
        keep()
    end
end
return run .. ' ' .. since
"""
)

#: sid, client, facts, lease in ms, what stands before a message's literal, most sessions, most of a client,
#: the session that it replaces or "", data… of its first arrays. Returns 1, or -1, -2 where there are as many
#: already, and the client that was gone with the one that it replaces.
BEGIN = (
    _HEAD
    + _RECORDS
    + _ADD
    + _FORGET
    + """
local sid, client, old = ARGV[1], ARGV[2], ARGV[8]
local s = P .. 's:' .. sid
if call('EXISTS', s) == 1 then return {1, ''} end
local replaced = 0
if old ~= '' and call('HGET', P .. 's:' .. old, 'client') == client then replaced = 1 end
if call('ZCARD', P .. 'leases') - replaced >= tonumber(ARGV[6]) then return {-1, ''} end
if call('HLEN', P .. 'c:' .. client) - replaced >= tonumber(ARGV[7]) then return {-2, ''} end
local gone = ''
if replaced == 1 and forget(old)[2] == 1 then gone = client end
call('HSET', s, 'client', client, 'facts', ARGV[3], 'base', 0, 'maps', 0, 'rid', -1, 'epoch', 0)
local one = {client = client, sid = sid, state = '0', next = 0, bytes = 0, node = '-', prefix = ARGV[5]}
for i = 9, #ARGV do
    add(one, '', ARGV[i], '')
end
tell()
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
    + _RECORDS
    + _TRIM
    + _SETTLE
    + _READ
    + """
local sid, one, aid = ARGV[1], open(ARGV[1]), tonumber(ARGV[3])
if not one or aid >= math.min(one.next, FAR) then return false end
settle(one, aid)
local before = one.node
local since = tonumber(call('HGET', P .. 'life', 'since') or 0)
local epoch = fmt('%d', math.max(call('HGET', P .. 's:' .. sid, 'epoch') + 1, since))
call('HSET', P .. 's:' .. sid, 'epoch', epoch)
one.node, changed[one] = ARGV[2], true
local base = trim(one, aid)
keep()
call('ZADD', P .. 'leases', now() + ARGV[4], sid)
if before ~= '-' and before ~= ARGV[2] then
    call('PUBLISH', P .. 'n:' .. before, 'fenced\\n' .. sid .. '\\n' .. epoch)
end
return {epoch, base, one.state == 'x' and 'overflow' or '', arrays(sid, base)}
"""
)

#: sid, epoch, lease: the back channel has ended.
DETACH = (
    _FREEING
    + _RECORDS
    + _MINE
    + """
local one = mine(ARGV[1], ARGV[2]) and open(ARGV[1])
if one then
    one.node, changed[one] = '-', true
    keep()
    call('ZADD', P .. 'leases', 'XX', now() + ARGV[3], ARGV[1])
end
return 1
"""
)

#: sid, epoch or "", from: arrays from there on; nothing where the session is another's, or the one before has
#: never been.
READ = (
    _FREEING
    + _RECORDS
    + _MINE
    + _SETTLE
    + _READ
    + """
local one, last = open(ARGV[1]), ARGV[3] - 1
if not one or ARGV[2] ~= '' and not mine(ARGV[1], ARGV[2]) or last >= one.next then return false end
settle(one, last, true)
keep()
return arrays(ARGV[1], ARGV[3])
"""
)

#: sid, epoch, data: one array, by whom the session is.
APPEND = (
    _HEAD
    + _RECORDS
    + _ADD
    + _MINE
    + """
local one = open(ARGV[1])
if not one or one.state == 'x' or not mine(ARGV[1], ARGV[2]) then return -1 end
add(one, '', ARGV[3], '')
tell()
return 1
"""
)

#: sid, aid, lease, first or "", count, rid, again, connect: whether they have the session listen, a key: a
#: request with so many maps. It acknowledges, and says which maps are new; what was answered to a key is
#: answered again, though all maps have been taken since. Returns how many maps are not new, whether its
#: client has come, whether it has a back channel, and the last array's id; nothing where there is no session.
RECEIVE = (
    _FREEING
    + _RECORDS
    + _ADD
    + _TRIM
    + """
local sid, s, one = ARGV[1], P .. 's:' .. ARGV[1], open(ARGV[1])
if not one then return false end
local found = call('HMGET', s, 'maps', 'rid', 'asked', 'skip', 'came')
local skip, came = tonumber(found[4]), tonumber(found[5])
if found[3] ~= ARGV[9] then
    if one.state == 'x' then return false end
    local next_map, first, count = tonumber(found[1]), tonumber(ARGV[4]), tonumber(ARGV[5])
    if not first then
        first = next_map
        if ARGV[7] == '1' and ARGV[6] == found[2] then count = 0 end
    end
    skip, came = math.min(count, math.max(0, next_map - first)), 0
    if ARGV[8] == '1' and one.state == '0' and skip < count then
        local h = P .. 'h:' .. one.client
        one.state, changed[one] = '1', true
        for _, literal in ipairs(call('LRANGE', h, 0, -1)) do
            add(one, one.prefix, literal, ']]]')
        end
        call('DEL', h)
        came = call('SADD', P .. 'present', one.client)
        if came == 1 then call('PUBLISH', P .. 'p', 'connected\\n' .. one.client) end
    end
    if count > 0 then
        call('HSET', s, 'maps', math.max(next_map, first + count), 'rid', ARGV[6],
            'asked', ARGV[9], 'skip', skip, 'came', came)
    end
    trim(one, tonumber(ARGV[2]))
    tell()
end
call('ZADD', P .. 'leases', now() + ARGV[3], sid)
return {skip, came, one.node ~= '-' and 1 or 0, one.next < FAR and one.next - 1 or tonumber(ARGV[2])}
"""
)

#: hold, limit, a key, seconds for which it is known, then client and literal of each message in one word,
#: with a byte 255 between them, which UTF-8 has not: to all of its client's sessions, or held; in this order,
#: all or none, and once, though it is asked twice with the same key. Returns how many heard each, in words;
#: -1: there is no such channel.
SEND = (
    _HEAD
    + _RECORDS
    + _ADD
    + """
local hold, limit, k = tonumber(ARGV[1]), tonumber(ARGV[2]), P .. 'i:' .. ARGV[3]
local before = call('GET', k)
if before then return before end
local known = {}
local function hear(client)
    local all = {}
    for _, one in ipairs(open_all(client)) do
        if one.state ~= '0' then all[#all + 1] = one end
    end
    known[client] = all
    return all
end
local function send(client, literal)
    local all = known[client] or hear(client)
    if #all == 0 then
        local expires = call('ZSCORE', P .. 'channels', client)
        if not expires or tonumber(expires) <= now() then return -1 end
        if hold > 0 and call('RPUSH', P .. 'h:' .. client, literal) > hold then
            call('LTRIM', P .. 'h:' .. client, -hold, -1)
        end
        return 0
    end
    for _, one in ipairs(all) do
        if one.state == '1' then
            if one.bytes + #literal > limit then
                add(one, '', '["stop"]', '')
                one.state = 'x'
            else
                add(one, one.prefix, literal, ']]]')
            end
        end
    end
    return #all
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
tell()
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
    + _RECORDS
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
    + _RECORDS
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
        if call('SISMEMBER', P .. 'present', client) == 0 then call('DEL', P .. 'h:' .. client) end
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
