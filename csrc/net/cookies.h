/* Cookies: those that servers have set, which libcurl keeps while it needs them; and those that a channel's
 * caller has given it. */
#ifndef GAECHANNEL_NET_COOKIES_H
#define GAECHANNEL_NET_COOKIES_H

#include "net/internal.h"

/* Let `easy` take cookies, and send those that it had. False when memory ran out. */
bool cookies_open(cookie_jar *self, CURL *easy);
/* Take them out of `easy`, if all can be kept. What libcurl keeps even a single cookie in is large; cookies
 * come in heads, and go with requests. */
void cookies_close(cookie_jar *self, CURL *easy);
/* What a head has set here, another jar of the same channel has, too, from now on. `others`, its handle, may
 * be NULL. False when memory ran out. */
bool cookies_pass_on(cookie_jar *self, CURL *easy, cookie_jar *other, CURL *others);
/* Append them to `out`, a line each, as libcurl writes them to files. `easy` may be NULL. */
void cookies_write(cookie_jar *self, CURL *easy, strbuf *out);
/* Forget them all. `easy` may be NULL. */
void cookies_forget(cookie_jar *self, CURL *easy);
/* `easy` is gone. */
void cookies_free(cookie_jar *self);

/* A Set-Cookie header has this value; `has_other`: the channel has another jar. `given` are the caller's,
 * "name=value; name=value", or NULL: there, one of this name is taken out. False when
 * memory ran out. */
bool cookies_set(cookie_jar *self, bool has_other, char *given, const char *value, size_t value_length);

/* Out of `given`, take each whose name one of the lines has that cookies_write() has written. */
void cookies_drop_set(char *given, const char *lines);

#endif
