/* What the session says of itself, for the files of this folder; how it is taken is in session.h. */
#ifndef GAECHANNEL_SESSION_REPORT_H
#define GAECHANNEL_SESSION_REPORT_H

#include "internal.h"

void session_log(session *self, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same with a URL behind it, redacted. */
void session_log_url(session *self, int level, const char *text, const char *url);
/* The same with the words of the response's body behind it. */
void session_log_reply(session *self, int level, const char *text, const exchange *ex);
void session_error_free(session_error *error);
/* Set the error: kind, code, and what the exchange knows of the response; ends the session. */
void session_fail_exchange(session *self, const exchange *ex, session_error_kind kind, int code,
                           const char *words);
/* The same of a failure that may be mended: it only is the last one. */
void session_note_failure(session *self, const exchange *ex, session_error_kind kind, int code,
                          const char *words);

#endif
