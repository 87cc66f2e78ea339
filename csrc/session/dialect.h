/* What differs between the dialects of the protocol: a table each. docs/dialects.rst says how to add one. */
#ifndef GAECHANNEL_SESSION_DIALECT_H
#define GAECHANNEL_SESSION_DIALECT_H

#include "session.h"

struct dialect {
    const char *name;
    // Path of every bind request, after the base URL.
    const char *bind_path;
    // `CVER` of the opening POST and of POSTs of maps; 0: not sent.
    int cver;
    // The first RID; 0: five random digits.
    int first_rid;
    // talk: a page names clid and gsessionid before the session is opened.
    bool has_init_page;
    // talk: the back channel waits until the first map is with the server.
    bool back_after_maps;
    // Maps may go in the opening POST.
    bool opens_with_maps;
    // `TYPE=terminate` ends a session.
    bool terminates;
    // The header X-HTTP-Session-Id brings the gsessionid.
    bool session_id_header;
    // `["S", gsessionid]` and `[{"gsid": gsessionid}]` bring the gsessionid, in or right behind the opening
    // reply.
    bool session_arrays;
    // `["close"]` ends the session in order.
    bool close_array;
    // Messages are texts in `["c",[clid,["ae",text]]]`; otherwise every array's data is one.
    bool talk_messages;
    // development server: no chunks; a response's whole body is one message, or none when empty.
    bool polls;
    // How long after an empty poll to ask again, in ms.
    int poll_interval_ms;
    // Append what the query has besides VER, RID, SID, AID, t, zx and the caller's parameters, each parameter
    // led by an ampersand. NULL: nothing.
    void (*write_query)(const session *self, request_kind kind, strbuf *out);
    // The first map of a session, queued when the session opens. NULL: none.
    bool (*queue_first_map)(session *self);
};

extern const dialect dialect_talk;
extern const dialect dialect_browserchannel;
extern const dialect dialect_webchannel;
extern const dialect dialect_dev;

/* By name; NULL when there is none. */
const dialect *dialect_find(const char *name);

#endif
