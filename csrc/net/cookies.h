/* The cookies that a channel's caller has given it; libcurl keeps those that servers set. */
#ifndef GAECHANNEL_NET_COOKIES_H
#define GAECHANNEL_NET_COOKIES_H

#include <stddef.h> // size_t

/* Take each cookie of this name out of `cookies`, which reads "name=value; name=value", NUL at its end. */
void cookies_drop(char *cookies, const char *name, size_t name_length);

/* How many bytes of a Set-Cookie header's value are the cookie's name. */
size_t cookies_name_length(const char *value, size_t value_length);

#endif
