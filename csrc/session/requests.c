/* What the session asks: the URLs and bodies of its requests. */
#include "session/requests.h"

#include <string.h>

#include "session/buffering.h"
#include "session/fields.h"
#include "session/maps.h"
#include "session/phase.h"

static void add_number(strbuf *out, const char *name, int64_t number) {
    strbuf_format(out, "&%s=%lld", name, (long long)number);
}

static const char *bind_path(const session *self) {
    return self->has_bind_path ? strbuf_str(&self->fields[FIELD_BIND_PATH]) : self->dialect->bind_path;
}

static void begin_query(const session *self, const char *path, strbuf *out) {
    const strbuf *url = &self->fields[FIELD_URL];
    strbuf_append(out, strbuf_str(url), url->length);
    strbuf_text(out, path);
    strbuf_text(out, strchr(strbuf_str(out), '?') != NULL ? "&" : "?");
}

// The caller's name and password go in a header, and nowhere else.
static void add_without_userinfo(const char *url, strbuf *out) {
    const char *host = strstr(url, "://");
    host = host != NULL ? host + 3 : url;
    strbuf_append(out, url, (size_t)(host - url));
    size_t userinfo = strcspn(host, "/?#@");
    strbuf_text(out, host[userinfo] == '@' ? host + userinfo + 1 : host);
}

// The page that App Engine's script loaded in a hidden frame; xpc is how the frame and the page were to talk.
void session_write_init_url(session *self, strbuf *out) {
    const char *base = strbuf_str(&self->fields[FIELD_URL]);
    strbuf xpc = {0};
    strbuf_text(&xpc, "{\"cn\": \"");
    session_random_letters(self, 10, &xpc);
    strbuf_text(&xpc, "\", \"tp\": \"null\", \"ppu\": \"");
    add_without_userinfo(base, &xpc);
    strbuf_text(&xpc, "/xpc_blank\", \"lpu\": \"");
    add_without_userinfo(base, &xpc);
    strbuf_text(&xpc, "/xpc_blank\"}");
    begin_query(self, "/d", out);
    strbuf_parameter(out, "token=", &self->fields[FIELD_TOKEN]);
    strbuf_parameter(out, "&xpc=", &xpc);
    if (strbuf_failed(&xpc))
        strbuf_fail(out);
    strbuf_free(&xpc);
}

static void add_trial(const session *self, const exchange *ex, strbuf *out) {
    strbuf_format(out, "&t=%d", self->trial > 0 ? self->trial : ex->failures + ex->stale + 1);
}

// What every bind request's query has, whatever it asks: from the SID to `t`.
static void add_common(session *self, exchange_slot slot, request_kind kind, strbuf *out) {
    const strbuf *sid = &self->fields[FIELD_SID];
    const strbuf *params = &self->fields[FIELD_PARAMS];
    if (kind != REQUEST_OPEN && sid->length != 0)
        strbuf_parameter(out, "&SID=", sid);
    if (self->dialect->write_query != NULL)
        self->dialect->write_query(self, kind, out);
    if (params->length != 0) {
        strbuf_text(out, "&");
        strbuf_append(out, strbuf_str(params), params->length);
    }
    strbuf_text(out, "&zx=");
    session_random_letters(self, 12, out);
    add_trial(self, &self->exchanges[slot], out);
}

void session_write_common_url(session *self, strbuf *out) {
    begin_query(self, bind_path(self), out);
    strbuf_text(out, "VER=8");
    add_common(self, SLOT_FORWARD, REQUEST_MAPS, out);
}

// webchannel's fast handshake: the opening form travels in the query of the first GET.
static void add_opening_form(session *self, strbuf *out);

static void write_bind_url(session *self, const exchange *ex, strbuf *out) {
    bool back = ex->kind == REQUEST_BACK;
    begin_query(self, bind_path(self), out);
    strbuf_text(out, "VER=8");
    if (back && !ex->opens)
        strbuf_text(out, "&RID=rpc");
    else
        add_number(out, "RID", ex->rid);
    if (ex->opens)
        strbuf_text(out, "&SID=null");
    else if (ex->kind != REQUEST_OPEN)
        add_number(out, "AID", session_get_number(self, NUMBER_AID));
    if (!back || ex->opens)
        add_number(out, "CVER", self->dialect->cver);
    if (back)
        strbuf_text(out, buffering_asks_batches(self) ? "&CI=1&TYPE=xmlhttp" : "&CI=0&TYPE=xmlhttp");
    if (ex->kind == REQUEST_TERMINATE)
        strbuf_text(out, "&TYPE=terminate");
    if (ex->opens)
        add_opening_form(self, out);
    add_common(self, back ? SLOT_BACK : SLOT_FORWARD, ex->kind, out);
}

static void write_poll_url(session *self, request_kind kind, strbuf *out) {
    begin_query(self, bind_path(self), out);
    self->dialect->write_query(self, kind, out);
}

static void write_url(session *self, const exchange *ex, strbuf *out) {
    if (ex->kind == REQUEST_INIT)
        session_write_init_url(self, out);
    else if (self->dialect->polls)
        write_poll_url(self, ex->kind, out);
    else
        write_bind_url(self, ex, out);
}

static void write_open_body(session *self, exchange *ex, strbuf *out) {
    const strbuf *headers = &self->fields[FIELD_INIT_HEADERS];
    const strbuf *form = &self->fields[FIELD_OPEN_FORM];
    ex->maps_count = 0; // of a try for which memory ran out
    if (headers->length != 0) {
        strbuf_parameter(out, "headers=", headers);
        strbuf_text(out, "&");
    }
    // A session's maps count from 0.
    if (self->dialect->opens_with_maps)
        map_list_restart(&self->maps, false);
    // An opening whose answer is lost on its way has begun a session that nobody knows, and is sent again.
    if (self->dialect->opens_with_maps && !self->config.sends_once && self->maps.count != 0)
        ex->maps_count = (unsigned)map_list_write(&self->maps, out);
    else
        strbuf_text(out, "count=0");
    if (form->length != 0) {
        strbuf_text(out, "&");
        strbuf_append(out, strbuf_str(form), form->length);
    }
}

static void add_opening_form(session *self, strbuf *out) {
    exchange *ex = &self->exchanges[SLOT_BACK];
    strbuf form = {0};
    write_open_body(self, ex, &form);
    strbuf_parameter(out, "&$req=", &form);
    if (strbuf_failed(&form))
        strbuf_fail(out);
    strbuf_free(&form);
}

bool session_terminates_by_post(const session *self) {
    return phase_terminates_by_post(self) || self->fields[FIELD_CLOSE_FORM].length != 0;
}

bool session_write_url(session *self, exchange *ex) {
    strbuf_clear(&ex->url);
    ex->maps_count = 0;
    ex->asking_url = ex->kind == REQUEST_INIT ? self->custom_init_url : self->custom_bind_url;
    if (!ex->asking_url)
        write_url(self, ex, &ex->url);
    return !strbuf_failed(&ex->url);
}

bool session_write_body(session *self, exchange *ex) {
    strbuf_clear(&ex->body);
    if (ex->kind == REQUEST_OPEN && !self->dialect->polls)
        write_open_body(self, ex, &ex->body);
    else if (ex->kind == REQUEST_MAPS)
        ex->maps_count = (unsigned)map_list_write(&self->maps, &ex->body);
    else if (ex->kind == REQUEST_TERMINATE)
        strbuf_set(&ex->body, strbuf_str(&self->fields[FIELD_CLOSE_FORM]));
    return !strbuf_failed(&ex->body);
}

/* ---- Whoever carries them ---- */

void session_get_request(session *self, exchange_slot slot, session_request *out) {
    const exchange *ex = &self->exchanges[slot];
    bool posts = ex->kind == REQUEST_OPEN || ex->kind == REQUEST_MAPS ||
                 (ex->kind == REQUEST_TERMINATE && session_terminates_by_post(self));
    *out = (session_request){
        .kind = ex->kind,
        .url = strbuf_str(&ex->url),
        .body = posts && !self->dialect->polls ? strbuf_str(&ex->body) : NULL,
        .body_length = ex->body.length,
    };
}

void session_asked_url(const session *self, exchange_slot slot, request_kind *kind, int64_t *rid,
                       int64_t *aid) {
    const exchange *ex = &self->exchanges[slot];
    *kind = ex->kind;
    *rid = ex->rid;
    *aid = ex->kind == REQUEST_OPEN ? -1 : session_get_number(self, NUMBER_AID);
}

bool session_give_url(session *self, exchange_slot slot, const char *url) {
    return strbuf_set(&self->exchanges[slot].url, url);
}
