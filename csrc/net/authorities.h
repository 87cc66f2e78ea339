/* Who says where the certificates of authorities are: libcurl, or whoever uses it. */
#ifndef GAECHANNEL_NET_AUTHORITIES_H
#define GAECHANNEL_NET_AUTHORITIES_H

#include <stdbool.h>

#include "session/strbuf.h"

/* Whether libcurl knows by itself. One that was built for no system in particular does not. */
bool net_finds_authorities(void);

/* Say which variables of the environment name this file of them and this directory (NULL: none), if any do.
 */
void net_tell_authorities_of_environment(const char *file, const char *directory, strbuf *words);

/* Say, in brackets, that OpenSSL finds nothing in this directory, if it cannot: it looks for names that are
 * hashes. */
void net_tell_directory(const char *directory, strbuf *words);

#endif
