/* What comes back to a session that is walked through: from a server that behaves, from one that does not,
 * and from who stands in its place. To be included once a program. */
#ifndef GAECHANNEL_FUZZ_WALK_SERVER_H
#define GAECHANNEL_FUZZ_WALK_SERVER_H

#include "walk.h"

/* ---- What comes back ---- */

// Something has come that is not of the walk's server.
static void be_odd(walk *self) {
    self->requests[SLOT_FORWARD].odd = self->requests[SLOT_BACK].odd = true;
    for (int i = 0; i < self->server_count; i++)
        self->servers[i].odd = true;
}

static session_intake feed_piece(walk *self, exchange_slot slot, const uint8_t *bytes, size_t length,
                                 bool is_good) {
    uint8_t *copy = check_copy(bytes, length);
    trace("slot %d gets %.*s\n", slot, (int)length, (const char *)bytes);
    session_intake intake = session_on_body(self->session, slot, copy, length, self->now_ms);
    free(copy);
    look(self, is_good);
    return intake;
}

/* The bytes, in pieces as the input has it. False where the request is done by that. */
static bool feed(walk *self, exchange_slot slot, const uint8_t *bytes, size_t length, bool is_good) {
    known_request *request = &self->requests[slot];
    MUST(request->rest == NULL);
    while (length > 0) {
        size_t piece = self->patient ? length : 1 + below(self, 255);
        piece = piece < length ? piece : length;
        session_intake intake = feed_piece(self, slot, bytes, piece, is_good);
        if (intake == INTAKE_STOP) {
            done(self, slot, TRANSPORT_STOPPED, false);
            return false;
        }
        if (intake == INTAKE_PAUSE) {
            MUST(slot == SLOT_BACK);
            if (below(self, 4) == 3) {
                session_on_full(self->session, slot);
                done(self, slot, TRANSPORT_STOPPED, is_good);
                return false;
            }
            request->rest = check_copy(bytes, length);
            request->rest_length = length;
            return true;
        }
        bytes += piece;
        length -= piece;
    }
    return true;
}

static bool resume(walk *self) {
    known_request *request = &self->requests[SLOT_BACK];
    if (!session_can_resume(self->session))
        return request->rest == NULL;
    session_on_resume(self->session, self->now_ms);
    look(self, true);
    uint8_t *rest = request->rest;
    if (rest == NULL)
        return true;
    request->rest = NULL;
    bool goes_on = feed(self, SLOT_BACK, rest, request->rest_length, false);
    free(rest);
    return goes_on && request->rest == NULL;
}

static void give_status(walk *self, exchange_slot slot, int status, const char *reason, bool is_good) {
    trace("slot %d has status %d %s\n", slot, status, reason);
    session_on_status(self->session, slot, status, reason, below(self, 8) == 7 ? 5000 : 0);
    self->requests[slot].status = status;
    look(self, is_good);
}

// A server's body, as it grows.
typedef struct body {
    char text[4096];
    size_t length;
} body;

static void print(body *out, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->text + out->length, sizeof out->text - out->length, format, arguments);
    va_end(arguments);
    MUST(length >= 0 && (size_t)length < sizeof out->text - out->length);
    out->length += (size_t)length;
}

static bool has_plain_clid(const walk *self) {
    const char *clid = strbuf_str(session_get(self->session, FIELD_CLID));
    return strspn(clid, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(clid) && strlen(clid) < 16;
}

static void print_array(const walk *self, body *out, int sid, int64_t id) {
    if (id % 3 == 0)
        print(out, "[%lld,[\"noop\"]]", (long long)id);
    else if (self->config.dialect->talk_messages)
        print(out, "[%lld,[\"c\",[\"%s\",[\"ae\",\"s%da%llde\"]]]]", (long long)id,
              has_plain_clid(self) ? strbuf_str(session_get(self->session, FIELD_CLID)) : "CLID", sid,
              (long long)id);
    else
        print(out, "[%lld,[\"s%da%llde\"]]", (long long)id, sid, (long long)id);
}

static void print_chunk(body *out, const body *payload) {
    print(out, "%zu\n%.*s", payload->length, (int)payload->length, payload->text);
}

// A session begins at the server; its opening reply, as far as that is one literal.
static int begin_session(walk *self, body *out) {
    int sid = self->server_count;
    if (sid == MOST_SESSIONS) {
        self->over = true;
        return 0;
    }
    self->servers[self->server_count++] = (server_session){.counts = true, .odd = !has_plain_clid(self)};
    server_session *server = &self->servers[sid];
    print(out, "[[0,[\"c\",\"S%d\",\"\",8,14,%u]]", sid, below(self, 2) * 20000);
    for (unsigned arrays = below(self, 4); arrays > 0; arrays--) {
        print(out, ",");
        print_array(self, out, sid, ++server->last);
    }
    print(out, "]");
    return sid;
}

static void take_maps(walk *self, int sid, const known_request *request) {
    server_session *server = &self->servers[sid];
    if (request->offset + request->count > server->maps)
        server->maps = request->offset + request->count;
}

/* The forward channel's request, answered as it should be. */
static void answer_forward(walk *self) {
    known_request *request = &self->requests[SLOT_FORWARD];
    body reply = {.length = 0};
    body payload = {.length = 0};
    bool is_good = true;
    if (!request->active || request->status != 0)
        return;
    if (request->kind == REQUEST_INIT) {
        print(&reply, "<script>new chat.WcsDataClient('u', '', 'CLID', 'GSID', '1', 'WCX', 'tok')");
    } else if (self->config.dialect->polls) {
        print(&reply, "7");
    } else if (request->kind == REQUEST_OPEN) {
        int sid = begin_session(self, &payload);
        take_maps(self, sid, request);
        below(self, 2) == 0 ? print(&reply, "%s", payload.text) : print_chunk(&reply, &payload);
    } else if (request->sid == NOBODY || self->servers[request->sid].lost) {
        is_good = false;
    } else if (request->kind == REQUEST_MAPS) {
        server_session *server = &self->servers[request->sid];
        take_maps(self, request->sid, request);
        print(&payload, "[%u,%lld,0]", below(self, 2), (long long)server->last);
        print_chunk(&reply, &payload);
    } else {
        self->servers[request->sid].lost = true;
    }
    give_status(self, SLOT_FORWARD, is_good ? 200 : 400, "words", is_good);
    if (!feed(self, SLOT_FORWARD, (const uint8_t *)reply.text, reply.length, is_good))
        return;
    let_go(self, request);
    done(self, SLOT_FORWARD, TRANSPORT_OK, is_good);
}

static void lose(walk *self, exchange_slot slot) {
    give_status(self, slot, 400, "Unknown SID", false);
    done(self, slot, TRANSPORT_OK, false);
}

static bool begin_response(walk *self) {
    known_request *request = &self->requests[SLOT_BACK];
    static const char name[] = "X-HTTP-Initial-Response";
    if (request->status != 0)
        return request->status == 200 && (request->sid != NOBODY || self->config.dialect->polls);
    if (request->opens && self->config.fast_handshake && session_get(self->session, FIELD_SID)->length == 0) {
        body opening = {.length = 0};
        request->sid = begin_session(self, &opening);
        take_maps(self, request->sid, request);
        let_go(self, request);
        session_on_header(self->session, SLOT_BACK, name, sizeof name - 1, opening.text, opening.length);
    } else if (!self->config.dialect->polls && (request->sid == NOBODY || self->servers[request->sid].lost)) {
        lose(self, SLOT_BACK);
        return false;
    }
    give_status(self, SLOT_BACK, 200, "OK", true);
    return true;
}

// Arrays that the server has, in as few or many chunks as the input says.
static int64_t print_arrays(walk *self, body *out, int sid, int64_t from) {
    server_session *server = &self->servers[sid];
    while (from <= server->last && out->length < 2500) {
        body payload = {.length = 0};
        print(&payload, "[");
        do {
            print_array(self, &payload, sid, from++);
            if (from > server->last || payload.length > 500 || (!self->patient && below(self, 2) == 0))
                break;
            print(&payload, ",");
        } while (true);
        print(&payload, "]");
        print_chunk(out, &payload);
    }
    return from - 1;
}

/* The back channel brings what is new, or, `again`, all that the client has not said it has. */
static bool answer_back(walk *self, bool again) {
    known_request *request = &self->requests[SLOT_BACK];
    body reply = {.length = 0};
    if (!request->active || (request->status != 0 && request->rest != NULL) || !begin_response(self))
        return false;
    if (self->config.dialect->polls) {
        print(&reply, "a message");
    } else {
        server_session *server = &self->servers[request->sid];
        server->last += below(self, 8);
        int64_t from = again ? request->aid : request->sent;
        request->sent = print_arrays(self, &reply, request->sid, from + 1);
    }
    return feed(self, SLOT_BACK, (const uint8_t *)reply.text, reply.length, !request->odd);
}

/* ---- What a server, or somebody in its place, says instead ---- */

static void break_off(walk *self, exchange_slot slot) {
    static const transport_outcome outcomes[] = {TRANSPORT_BROKEN, TRANSPORT_STALE, TRANSPORT_TIMEOUT,
                                                 TRANSPORT_FATAL};
    known_request *request = &self->requests[slot];
    if (!request->active)
        return;
    if (request->kind == REQUEST_MAPS && request->sid != NOBODY && below(self, 2) == 0)
        take_maps(self, request->sid, request); // it came, the answer did not
    done(self, slot, outcomes[below(self, 4)], false);
}

static const char *odd_text(walk *self) {
    static const char *const texts[] = {
        "",
        "<html>" TOKEN "</html>",
        "Unknown SID",
        "7\n[1,0,0]",
        "[0,5,10]",
        "17\n[[1,[\"noop\"]],[2,",
        "[[0,[\"c\",\"SX\",\"\",8]]]",
        "27\n[[0,[\"c\",\"SY\",\"\",8,14,500]]",
        "20\n[[7,[\"stop\",\"why\"]]]",
        "13\n[[3,[\"close\"]]]",
        "18\n[[1,[\"S\",\"GSID\"]]]",
        "34\n[[2,[\"a\"]],[3,[\"b\"]],[4,[nonsense",
        "15\n[[3000,[\"x\"]]]",
        "99999999999\n",
        "\xEF\xBB\xBF\x37\n[1,0,0]",
        "30\n[[9223372036854775807,[\"noop\"]]]",
        "\xFF\xFF",
        "new chat.WcsDataClient('u', '', 'OTHER', 'GSID', '1', 'WCX', 'tok');",
        "new chat.WcsDataClient('u', '', '\\x41\\u00e9', 'G",
        "9\n[[4,\"\xC3\xA9\"]",
        "[[5,[\"c\",[\"CLID\",[\"ae\",\"\\ud800\"]]]]]",
    };
    return texts[below(self, sizeof texts / sizeof *texts)];
}

static void feed_odd(walk *self, exchange_slot slot) {
    known_request *request = &self->requests[slot];
    be_odd(self);
    for (unsigned parts = 1 + below(self, 3); parts > 0; parts--) {
        const char *text = odd_text(self);
        if (request->rest != NULL || !feed(self, slot, (const uint8_t *)text, strlen(text), false))
            return;
    }
    size_t raw = below(self, 32);
    if (raw > (size_t)(self->end - self->at))
        raw = (size_t)(self->end - self->at);
    const uint8_t *bytes = self->at;
    self->at += raw;
    if (request->rest == NULL)
        (void)feed(self, slot, bytes, raw, false);
}

static void odd_headers(walk *self, exchange_slot slot) {
    static const char *const headers[][2] = {
        {"Set-Cookie", "S=" TOKEN "; Path=/"}, {"Set-Cookie", "nothing"},
        {"X-HTTP-Session-Id", "GS"},           {"X-HTTP-Initial-Response", "[[0,[\"c\",\"SZ\",\"\",8]]]"},
        {"x-http-initial-response", "\xFF"},   {"Date", ""}};
    const char *const *header = headers[below(self, sizeof headers / sizeof *headers)];
    be_odd(self);
    session_on_header(self->session, slot, header[0], strlen(header[0]), header[1], strlen(header[1]));
    session_on_head(self->session, slot, "Server: x\r\nSet-Cookie: S=" TOKEN "\r\n", 38);
}

// An odd body, under 200 or not.
static void answer_oddly(walk *self, exchange_slot slot) {
    static const int statuses[] = {200, 200, 200, 400, 401, 403, 404, 408, 410, 421, 429, 500, 503, 302, 204};
    static const char *const reasons[] = {
        "", "Unknown SID", "Token timed out", "Token+expired.", "Invalid token", "Bad Request", TOKEN};
    known_request *request = &self->requests[slot];
    if (!request->active || request->rest != NULL)
        return;
    int status = 200;
    if (request->status == 0) {
        status = statuses[below(self, sizeof statuses / sizeof *statuses)];
        if (below(self, 4) == 3)
            odd_headers(self, slot);
        if (status == 200)
            let_go(self, request);
        give_status(self, slot, status, reasons[below(self, sizeof reasons / sizeof *reasons)], false);
    }
    // Who refuses fillers does not count; who confirms what it has not counts otherwise.
    if (request->sid != NOBODY && (status == 200 || !request->holds_any) && request->kind == REQUEST_MAPS)
        self->servers[request->sid].counts = false;
    if (status == 200 || below(self, 2) == 0)
        feed_odd(self, slot);
    if (!request->active || request->rest != NULL || below(self, 4) == 3)
        return;
    if (status == 200)
        let_go(self, request);
    done(self, slot, TRANSPORT_OK, false);
}

#endif
