/* Which proxy libcurl goes through. */
#ifndef GAECHANNEL_NET_PROXY_H
#define GAECHANNEL_NET_PROXY_H

#include <stdbool.h>

/* The proxy of a request to `url`: `given`, if that is not NULL, or what the environment names. NULL: there
 * is none. What no_proxy excepts is not known here. */
const char *proxy_for(const char *given, const char *url);

/* The environment's variable that names the proxy of a request to `url`; NULL: none does. */
const char *proxy_variable(const char *url);

/* Whether the environment may except hosts from its proxies. */
bool proxy_has_exceptions(void);

#endif
