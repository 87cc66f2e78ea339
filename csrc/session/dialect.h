/* What differs between the dialects of the protocol: a table each. docs/dialects.rst says how to add one. */
#ifndef GAECHANNEL_SESSION_DIALECT_H
#define GAECHANNEL_SESSION_DIALECT_H

#include "session.h"

// What a control array asks of the session.
typedef enum array_role {
    ROLE_MESSAGE, // none: the application's
    ROLE_OPEN,
    ROLE_NOOP,
    ROLE_STOP,
    ROLE_CLOSE,
    ROLE_GSESSIONID,
} array_role;

typedef enum array_form {
    FORM_WORD,     // ["name", …]
    FORM_TEXT,     // ["name", "text", …]
    FORM_OF_OBJECT // [{"name": "text", …}, …]
} array_form;

typedef enum array_place {
    PLACE_ANY,
    PLACE_OPENING, // in a reply that opens the session, which has no SID yet
    PLACE_FIRST,   // in the opening reply, or the first array behind it
} array_place;

typedef struct control_array {
    const char *name;
    array_role role;
    array_form form;
    array_place place;
} control_array;

// Which every dialect has.
#define CONTROL_OPEN                                                                                         \
    { "c", ROLE_OPEN, FORM_TEXT, PLACE_OPENING }
#define CONTROL_NOOP                                                                                         \
    { "noop", ROLE_NOOP, FORM_WORD, PLACE_ANY }
#define CONTROL_STOP                                                                                         \
    { "stop", ROLE_STOP, FORM_WORD, PLACE_ANY }

typedef enum terminate_verb {
    TERMINATE_NEVER, // no request ends a session
    TERMINATE_GET,
    TERMINATE_GET_OR_POST, // a POST where the server does not know the GET
    TERMINATE_POST_OR_GET,
} terminate_verb;

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
    // What ends a session; how long close() waits for it, in ms, where it is heard at all.
    terminate_verb terminate;
    int close_ms;
    // Forward and back channel never run at once.
    bool half_duplex;
    // Session and back channel may be opened by one GET, with `$req=` and `SID=null`.
    bool fast_handshake;
    // The header X-HTTP-Session-Id brings the gsessionid.
    bool session_id_header;
    // What arrays the session obeys; the last one has no name.
    const control_array *controls;
    // Messages are texts in `["c",[clid,["ae",text]]]`; otherwise every array's data is one.
    bool talk_messages;
    // development server: no chunks. The opening reply is the SID; any other response's whole body is one
    // message, or none when empty. A 400 says that the request was not understood, not that the session is
    // lost.
    bool polls;
    // How long after an empty poll to ask again, in ms.
    int poll_interval_ms;
    // Append what the query has besides VER, RID, SID, AID, t, zx and the caller's parameters, each parameter
    // led by an ampersand; or, for one that polls, all of it. NULL: nothing.
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
