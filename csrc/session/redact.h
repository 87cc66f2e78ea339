/* Texts without secrets, and which secrets the session knows; what callers use of it is in session.h. */
#ifndef GAECHANNEL_SESSION_REDACT_H
#define GAECHANNEL_SESSION_REDACT_H

#include "internal.h"

// What a text is, and so what must not be seen of it.
typedef enum redaction {
    REDACT_OURS,   // a URL of ours, or words of ours about it: also what all but harmless parameters say
    REDACT_THEIRS, // the server's words in a sentence of ours: also what the caller's parameters say
    REDACT_BODY,   // the server's body as it is: tokens, credentials and cookies
} redaction;

/* Append the text without secrets: at least as much of it as makes `limit` bytes, so that a long one costs no
 * more than is shown of it. */
void redact(const session *self, redaction how, const char *text, size_t limit, strbuf *out);

/* Append all of what the server has sent, but for secrets. */
void redact_body(const session *self, const strbuf *body, strbuf *out);

/* Keep of the URL, which is on its way, what an error would show of it. */
void session_shorten_url(const session *self, exchange *ex);
/* As session_add_secret(), of the user's name and password in a URL, and of the password alone. */
bool session_add_userinfo(session *self, const char *url);
/* As session_add_secret(), of a cookie's value. */
bool session_add_cookie(session *self, const char *text, size_t length);

#endif
