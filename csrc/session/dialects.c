/* The dialects' tables, and the few functions in which they differ. */
#include "dialect.h"
#include "internal.h"

#include <string.h>

static void add(strbuf *out, const char *name, const strbuf *value) {
    strbuf_text(out, "&");
    strbuf_text(out, name);
    strbuf_text(out, "=");
    strbuf_quote(out, strbuf_str(value), value->length);
}

static void add_gsessionid(const session *self, strbuf *out) {
    const strbuf *gsessionid = session_get(self, FIELD_GSESSIONID);
    if (gsessionid->length != 0)
        add(out, "gsessionid", gsessionid);
}

/* ---- talk: the App Engine Channel API ---- */

static void talk_query(const session *self, request_kind kind, strbuf *out) {
    (void)kind;
    add(out, "token", session_get(self, FIELD_TOKEN));
    add(out, "gsessionid", session_get(self, FIELD_GSESSIONID));
    add(out, "clid", session_get(self, FIELD_CLID));
    strbuf_text(out, "&prop=data");
}

// Until the server has this map it sends no message.
static bool talk_first_map(session *self) {
    static const char add_client[] = "[\"connect-add-client\"]";
    const strbuf *clid = session_get(self, FIELD_CLID);
    const map_field fields[] = {
        {"m", 1, add_client, sizeof add_client - 1, false},
        {"c", 1, strbuf_str(clid), clid->length, false},
        {"_sc", 3, "c", 1, false},
    };
    return session_send_map(self, fields, sizeof fields / sizeof *fields) >= 0;
}

const dialect dialect_talk = {
    .name = "talk",
    .bind_path = "/dch/bind",
    .cver = 1,
    .first_rid = 1,
    .has_init_page = true,
    .back_after_maps = true,
    .terminates = true,
    .talk_messages = true,
    .write_query = talk_query,
    .queue_first_map = talk_first_map,
};

/* ---- browserchannel: Closure's, node-browserchannel's, YouTube Lounge's ---- */

static void browserchannel_query(const session *self, request_kind kind, strbuf *out) {
    if (kind == REQUEST_OPEN && session_get(self, FIELD_OSID)->length != 0) {
        add(out, "OSID", session_get(self, FIELD_OSID));
        add(out, "OAID", session_get(self, FIELD_OAID));
    }
    add_gsessionid(self, out);
}

const dialect dialect_browserchannel = {
    .name = "browserchannel",
    .bind_path = "/bind",
    .cver = 1,
    .opens_with_maps = true,
    .terminates = true,
    .session_arrays = true,
    .write_query = browserchannel_query,
};

/* ---- webchannel: Firestore's, Google Chat's ---- */

static void webchannel_query(const session *self, request_kind kind, strbuf *out) {
    if (kind == REQUEST_OPEN || session_get(self, FIELD_SID)->length == 0)
        strbuf_text(out, "&X-HTTP-Session-Id=gsessionid");
    add_gsessionid(self, out);
}

const dialect dialect_webchannel = {
    .name = "webchannel",
    .bind_path = "",
    .cver = 22,
    .opens_with_maps = true,
    .terminates = true,
    .session_id_header = true,
    .close_array = true,
    .write_query = webchannel_query,
};

/* ---- dev: the App Engine SDK's development server ---- */

const dialect dialect_dev = {
    .name = "dev",
    .bind_path = "/_ah/channel/dev",
    .terminates = true,
    .polls = true,
    .poll_interval_ms = 500,
};

const dialect *dialect_find(const char *name) {
    static const dialect *const all[] = {&dialect_talk, &dialect_browserchannel, &dialect_webchannel,
                                         &dialect_dev};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
