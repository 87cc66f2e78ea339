/* A walk through a session for fuzz_session.c: what is known of it, and what must hold whatever happens. To
 * be included once a program. */
#ifndef GAECHANNEL_FUZZ_WALK_H
#define GAECHANNEL_FUZZ_WALK_H

#include "failing.h"

#include <ctype.h>

#include "session/dialect.h"
#include "session/session.h"

#define MOST_SESSIONS 48
#define MOST_MAPS 192
#define MOST_FIELDS 470
// What session_next() may want at once, one thing after the other.
#define MOST_ACTIONS 32
#define NOBODY (-1)
#define TOKEN "tok-secret"

#define MUST(condition)                                                                                      \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            fail(__FILE__, __LINE__, #condition);                                                            \
    } while (0)

static void fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* With TRACE in the environment a walk says what it does: how a found input is understood. */
static void trace(const char *format, ...) {
    static int wanted = -1;
    if (wanted < 0)
        wanted = getenv("TRACE") != NULL;
    if (wanted == 0)
        return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

/* ---- What is known ---- */

// One session at the server, by its SID's number.
typedef struct server_session {
    int64_t last;  // highest array id; every third one is no message
    int64_t shown; // the array whose message was taken last
    int64_t maps;  // how many it has, by their numbers
    bool odd;      // it has said what no server says, or somebody else has in its place
    bool counts;   // it goes by the maps' numbers
    bool again;    // its SID was set by hand: it may send what it has sent before
    bool lost;     // it knows the SID no more
} server_session;

typedef enum fate {
    FATE_NONE,  // not queued
    FATE_WAITS, //
    FATE_HELD,  // taken back, but a request of the present session has held it
    FATE_GONE,  // confirmed, refused, taken back, or dropped with the session
} fate;

typedef struct known_map {
    fate fate;
    bool first;    // of the session that is about to open
    bool may_go;   // the present call may take it off without a word
    unsigned held; // the opening whose session's request held it last; 0: none
} known_map;

typedef struct known_request {
    bool active;
    int status; // 0: not answered yet
    request_kind kind;
    bool opens;
    bool odd;              // not all that it has brought is of the walk's server
    int sid;               // at the server; NOBODY: it is of none that this one knows
    int64_t aid;           // that it names
    int64_t sent;          // the array that its response has brought last
    int64_t offset, count; // of its maps
    bool holds[MOST_MAPS];
    bool holds_any;
    uint8_t *rest; // of a body, while the back channel is paused
    size_t rest_length;
} known_request;

typedef struct walk {
    const uint8_t *at, *end; // of the input
    session *session;
    session_config config;
    session_action action; // session_next()'s last
    int64_t now_ms;
    known_request requests[SLOT_COUNT];
    server_session servers[MOST_SESSIONS];
    int server_count;
    known_map maps[MOST_MAPS];
    int map_count;
    int waiting[MOST_MAPS]; // those that wait, oldest first
    int waiting_count;
    unsigned openings; // requests that open a session, so far
    int shown_sid;     // whose message was taken last
    uint64_t failures; // as session_last_error() counts
    bool takes_maps;   // maps are this program's: the talk dialect has its own
    bool closed;       // by the caller
    bool over;         // no memory to begin with, or too much has happened
    int64_t last_id;   // of a map
    bool patient;      // bodies come whole
} walk;

static unsigned next_byte(walk *self) {
    return self->at < self->end ? *self->at++ : 0;
}

static unsigned below(walk *self, unsigned count) {
    return next_byte(self) % count;
}

// What looks at the session is not to run out of memory itself.
typedef struct memory {
    long left;
    bool for_good;
} memory;

static memory memory_back(void) {
    memory before = {failing_left, failing_for_good};
    failing_left = -1;
    return before;
}

static void memory_as_before(memory before) {
    failing_left = before.left;
    failing_for_good = before.for_good;
}

/* ---- What maps there are ---- */

// Map number 7 has the value "v7e", which stands as it is in a form, in a query and in what the caller is
// told.
static const char *next_map(const char *at, int *out) {
    while ((at = strchr(at, 'v')) != NULL) {
        char *end;
        at++;
        if (!isdigit((unsigned char)*at))
            continue;
        long number = strtol(at, &end, 10);
        at = end;
        if (*end != 'e' || number >= MOST_MAPS)
            continue;
        *out = (int)number;
        return end;
    }
    return NULL;
}

static bool names_map(const char *text, int wanted) {
    int number;
    while ((text = next_map(text, &number)) != NULL)
        if (number == wanted)
            return true;
    return false;
}

static const char *refused_maps(const walk *self) {
    uint64_t count;
    return strbuf_str(&session_last_error(self->session, &count)->refused);
}

static void remove_waiting(walk *self, int place) {
    self->waiting_count--;
    memmove(self->waiting + place, self->waiting + place + 1,
            (size_t)(self->waiting_count - place) * sizeof *self->waiting);
}

// Whatever went, went for a reason; `told` names more that did.
static void look_at_maps(walk *self, const char *told) {
    strbuf lines = {0};
    MUST(session_tell_unsent(self->session, &lines));
    const char *at = strbuf_str(&lines);
    int number = NOBODY;
    at = next_map(at, &number);
    for (int place = 0; place < self->waiting_count;) {
        int known = self->waiting[place];
        known_map *map = &self->maps[known];
        if (at != NULL && number == known) {
            at = next_map(at, &number);
            place++;
            continue;
        }
        MUST(map->may_go || names_map(told, known) || names_map(refused_maps(self), known));
        map->fate = FATE_GONE;
        remove_waiting(self, place);
    }
    MUST(at == NULL); // what is told waits, and in the order in which it does
    for (int i = 0; i < self->map_count; i++)
        self->maps[i].may_go = false;
    MUST(!self->takes_maps || session_unsent(self->session) >= (size_t)self->waiting_count);
    if (self->takes_maps && self->waiting_count == 0)
        MUST(session_room_for(self->session, self->config.max_unsent) == ROOM_NOW);
    strbuf_free(&lines);
}

// The maps of a request may go, since it may have been answered.
static void let_go(walk *self, const known_request *request) {
    for (int i = 0; i < self->map_count; i++)
        self->maps[i].may_go |= request->holds[i];
}

/* ---- What a caller sees ---- */

static void must_hide(const char *text) {
    trace("shown: %s\n", text);
    MUST(strstr(text, TOKEN) == NULL);
}

static void look_at_error(walk *self, bool is_good) {
    uint64_t count;
    const session_error *error = session_last_error(self->session, &count);
    // What is as it should be is no failure.
    MUST(count == self->failures || !is_good || error->kind == ERROR_MEMORY);
    MUST(error->kind != ERROR_MEMORY || failing_count != 0);
    if (count != self->failures) {
        must_hide(strbuf_str(&error->message));
        must_hide(strbuf_str(&error->url));
        must_hide(strbuf_str(&error->reason));
        must_hide(strbuf_str(&error->body));
        must_hide(strbuf_str(&error->head));
    }
    self->failures = count;
}

/* After each call that may have changed something; `is_good`: the server has done what it should. */
static void look(walk *self, bool is_good) {
    memory before = memory_back();
    look_at_error(self, is_good);
    look_at_maps(self, "");
    MUST(session_queue(self->session)->count != 0 || session_queue(self->session)->tail == 0 ||
         queue_bytes(session_queue(self->session)) == 0);
    memory_as_before(before);
}

/* ---- What is asked of the server ---- */

static const char *parameter(const char *text, const char *name) {
    const char *at = strstr(text, name);
    return at != NULL ? at + strlen(name) : NULL;
}

static int numbered(const walk *self, const char *sid) {
    int number = *sid == 'S' && isdigit((unsigned char)sid[1]) ? atoi(sid + 1) : NOBODY;
    return number < self->server_count ? number : NOBODY;
}

static int sid_of(const walk *self, const char *url) {
    const char *at = parameter(url, "&SID=");
    return at != NULL ? numbered(self, at) : NOBODY;
}

static void read_maps(walk *self, known_request *request, const char *form, bool opens) {
    const char *count = parameter(form, "count=");
    const char *offset = parameter(form, "&ofs=");
    if (count == NULL && (count = parameter(form, "count%3D")) != NULL)
        offset = parameter(form, "%26ofs%3D");
    request->count = count != NULL ? atoll(count) : 0;
    request->offset = offset != NULL ? atoll(offset) : 0;
    int number;
    int place = 0;
    while ((form = next_map(form, &number)) != NULL) {
        known_map *map = &self->maps[number];
        MUST(map->fate == FATE_WAITS || (map->fate == FATE_HELD && !opens));
        MUST(!request->holds[number]);
        request->holds[number] = request->holds_any = true;
        map->held = self->openings;
        if (map->fate != FATE_WAITS)
            continue;
        MUST(place < self->waiting_count && self->waiting[place] == number);
        place++;
    }
}

// What was taken back is not told to another session.
static void begin_opening(walk *self) {
    self->openings++;
    for (int i = 0; i < self->map_count; i++)
        if (self->maps[i].fate == FATE_HELD)
            self->maps[i].fate = FATE_GONE;
}

static void look_at_aid(walk *self, known_request *request, const char *url) {
    const char *aid = parameter(url, "&AID=");
    request->aid = request->sent = aid != NULL ? atoll(aid) : 0;
    if (request->sid != NOBODY && !self->servers[request->sid].odd)
        MUST(request->aid <= self->servers[request->sid].last);
}

static void look_at_request(walk *self, exchange_slot slot) {
    session_request asked;
    known_request *request = &self->requests[slot];
    MUST(!request->active);
    session_get_request(self->session, slot, &asked);
    MUST(asked.url != NULL && (asked.body == NULL || strlen(asked.body) == asked.body_length));
    bool made = strcmp(asked.url, "http://made") == 0;
    bool opens = asked.kind == REQUEST_OPEN || strstr(asked.url, "&SID=null") != NULL;
    trace("slot %d asks %s\n  %s\n", slot, asked.url, asked.body != NULL ? asked.body : "");
    *request =
        (known_request){.active = true, .opens = opens, .kind = asked.kind, .sid = sid_of(self, asked.url)};
    if (opens)
        begin_opening(self);
    if (made && !opens && asked.kind != REQUEST_INIT)
        request->sid = numbered(self, strbuf_str(session_get(self->session, FIELD_SID)));
    if (asked.body != NULL || opens)
        read_maps(self, request, asked.body != NULL ? asked.body : asked.url, opens);
    if (!made)
        look_at_aid(self, request, asked.url);
    // A server that counts would wait for ever for what comes between.
    if (asked.kind == REQUEST_MAPS && request->sid != NOBODY && self->servers[request->sid].counts)
        MUST(request->offset <= self->servers[request->sid].maps);
    MUST(!opens || request->offset == 0);
    MUST(asked.kind != REQUEST_MAPS || request->count > 0);
}

/* ---- Maps to the server ---- */

static bool send_map(walk *self, bool first) {
    static map_field fields[MOST_FIELDS];
    char value[16];
    int number = self->map_count;
    if (number == MOST_MAPS)
        return false;
    snprintf(value, sizeof value, "v%de", number);
    size_t count = below(self, 16) == 15 ? MOST_FIELDS : 1 + below(self, 2);
    for (size_t i = 0; i < count; i++)
        fields[i] = (map_field){"_S", i == 0 ? 2 : 0, value, i == 0 ? strlen(value) : 0, false};
    int64_t id = (first ? session_send_map_first : session_send_map)(self->session, fields, count);
    MUST(id < 0 ? failing_count != 0 : id > self->last_id);
    if (id < 0)
        return false;
    self->last_id = id;
    self->map_count++;
    self->maps[number] = (known_map){.fate = FATE_WAITS, .first = first};
    int place = 0;
    while (first && place < self->waiting_count && self->maps[self->waiting[place]].first)
        place++;
    if (!first)
        place = self->waiting_count;
    memmove(self->waiting + place + 1, self->waiting + place,
            (size_t)(self->waiting_count++ - place) * sizeof *self->waiting);
    self->waiting[place] = number;
    look(self, true);
    return true;
}

/* ---- Doing what the session wants ---- */

static void done(walk *self, exchange_slot slot, transport_outcome outcome, bool is_good) {
    known_request *request = &self->requests[slot];
    free(request->rest);
    request->rest = NULL;
    request->active = false;
    trace("slot %d is done: %d\n", slot, outcome);
    session_on_done(self->session, slot, outcome, 7, "words of the carrier", self->now_ms);
    look(self, is_good);
}

static void give_token(walk *self) {
    memory before = memory_back();
    MUST(session_set(self->session, FIELD_TOKEN, TOKEN));
    memory_as_before(before);
}

static void answer(walk *self) {
    switch (self->action.kind) {
    case ACTION_ASK_TOKEN:
        give_token(self);
        break;
    case ACTION_ASK_URL:
        if (!session_give_url(self->session, self->action.slot, "http://made")) {
            MUST(failing_count != 0);
            (void)memory_back(); // whoever was asked has been told, and tries again later
        }
        break;
    case ACTION_ASK_SESSION: {
        for (int i = 0; i < self->map_count; i++)
            self->maps[i].may_go |= self->maps[i].first;
        session_prepare(self->session);
        look(self, true);
        unsigned maps = self->takes_maps ? below(self, 3) : 0;
        while (maps-- > 0)
            send_map(self, true);
        session_answered(self->session, true);
        break;
    }
    default:
        session_answered(self->session, false);
    }
    look(self, true);
}

// Until it waits, or whoever drives it is to be told something.
static void go_on(walk *self) {
    for (int turns = 0; !self->over; turns++) {
        MUST(turns < MOST_ACTIONS);
        session_next(self->session, self->now_ms, &self->action);
        trace("%lld: action %d of slot %d\n", (long long)self->now_ms, self->action.kind, self->action.slot);
        look(self, true);
        session_action *action = &self->action;
        if (action->kind == ACTION_WAIT) {
            MUST(action->at_ms > self->now_ms);
            return;
        }
        if (action->kind == ACTION_ENDED || action->kind == ACTION_REACHED)
            return;
        if (action->kind == ACTION_SEND) {
            look_at_request(self, action->slot);
        } else if (action->kind == ACTION_ABORT) {
            MUST(self->requests[action->slot].active);
            if (self->requests[action->slot].sid != NOBODY && self->requests[action->slot].holds_any &&
                below(self, 2) == 0) { // it had come
                server_session *server = &self->servers[self->requests[action->slot].sid];
                int64_t maps = self->requests[action->slot].offset + self->requests[action->slot].count;
                server->maps = maps > server->maps ? maps : server->maps;
            }
            bool dead = action->silent_since_ms != SESSION_NEVER && below(self, 2) == 0;
            done(self, action->slot, dead ? TRANSPORT_STALE : TRANSPORT_STOPPED, false);
        } else {
            answer(self);
        }
    }
}

#endif
