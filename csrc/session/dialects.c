/* The dialects' tables, and the few functions in which they differ. */
#include "dialect.h"
#include "internal.h"

#include <string.h>

static void add_gsessionid(const session *self, strbuf *out) {
    const strbuf *gsessionid = session_get(self, FIELD_GSESSIONID);
    if (gsessionid->length != 0)
        strbuf_parameter(out, "&gsessionid=", gsessionid);
}

static const control_array controls[] = {CONTROL_OPEN, CONTROL_NOOP, CONTROL_STOP, {.name = NULL}};

// How long close() may take to tell the server, in ms. In the talk dialect that is a courtesy, which the old
// module did not know: whoever closes should hardly notice. The same goes for the development server.
#define CLOSE_MS 1000
#define COURTESY_MS 50

/* ---- talk: the App Engine Channel API ---- */

static void talk_query(const session *self, request_kind kind, strbuf *out) {
    (void)kind;
    strbuf_parameter(out, "&token=", session_get(self, FIELD_TOKEN));
    strbuf_parameter(out, "&gsessionid=", session_get(self, FIELD_GSESSIONID));
    strbuf_parameter(out, "&clid=", session_get(self, FIELD_CLID));
    strbuf_text(out, "&prop=data");
}

// Until the server has this map, the server sends no message.
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
    .terminate = TERMINATE_GET_OR_POST,
    .close_ms = COURTESY_MS,
    .half_duplex = true,
    .controls = controls,
    .talk_messages = true,
    .write_query = talk_query,
    .queue_first_map = talk_first_map,
};

/* ---- browserchannel: Closure's, node-browserchannel's, YouTube Lounge's ---- */

static void browserchannel_query(const session *self, request_kind kind, strbuf *out) {
    if (kind == REQUEST_OPEN && session_get(self, FIELD_OSID)->length != 0) {
        strbuf_parameter(out, "&OSID=", session_get(self, FIELD_OSID));
        strbuf_parameter(out, "&OAID=", session_get(self, FIELD_OAID));
    }
    add_gsessionid(self, out);
}

// YouTube's and Hangouts' ways to name the gsessionid.
static const control_array browserchannel_controls[] = {
    CONTROL_OPEN,
    CONTROL_NOOP,
    CONTROL_STOP,
    {"S", ROLE_GSESSIONID, FORM_TEXT, PLACE_FIRST},
    {"gsid", ROLE_GSESSIONID, FORM_OF_OBJECT, PLACE_FIRST},
    {.name = NULL},
};

const dialect dialect_browserchannel = {
    .name = "browserchannel",
    .bind_path = "/bind",
    .cver = 1,
    .opens_with_maps = true,
    .terminate = TERMINATE_GET_OR_POST,
    .close_ms = CLOSE_MS,
    .controls = browserchannel_controls,
    .write_query = browserchannel_query,
};

/* ---- webchannel: Firestore's, Google Chat's ---- */

static void webchannel_query(const session *self, request_kind kind, strbuf *out) {
    if (kind == REQUEST_OPEN || session_get(self, FIELD_SID)->length == 0)
        strbuf_text(out, "&X-HTTP-Session-Id=gsessionid");
    add_gsessionid(self, out);
}

static const control_array webchannel_controls[] = {
    CONTROL_OPEN, CONTROL_NOOP, CONTROL_STOP, {"close", ROLE_CLOSE, FORM_WORD, PLACE_ANY}, {.name = NULL},
};

const dialect dialect_webchannel = {
    .name = "webchannel",
    .bind_path = "",
    .cver = 22,
    .opens_with_maps = true,
    .terminate = TERMINATE_POST_OR_GET,
    .close_ms = CLOSE_MS,
    .fast_handshake = true,
    .session_id_header = true,
    .controls = webchannel_controls,
    .write_query = webchannel_query,
};

/* ---- dev: the App Engine SDK's development server ---- */

static void dev_query(const session *self, request_kind kind, strbuf *out) {
    strbuf_text(out, kind == REQUEST_OPEN   ? "command=connect"
                     : kind == REQUEST_BACK ? "command=poll"
                                            : "command=disconnect");
    strbuf_parameter(out, "&channel=", session_get(self, FIELD_TOKEN));
    if (kind != REQUEST_OPEN)
        strbuf_parameter(out, "&client=", session_get(self, FIELD_SID));
}

const dialect dialect_dev = {
    .name = "dev",
    .bind_path = "/_ah/channel/dev",
    .terminate = TERMINATE_GET,
    .close_ms = COURTESY_MS,
    .half_duplex = true,
    .controls = controls,
    .polls = true,
    .poll_interval_ms = 500,
    .write_query = dev_query,
};

const dialect *dialect_find(const char *name) {
    static const dialect *const all[] = {&dialect_talk, &dialect_browserchannel, &dialect_webchannel,
                                         &dialect_dev};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
