/* Who says where the certificates of authorities are: libcurl, or whoever uses it. */
#ifndef GAECHANNEL_NET_AUTHORITIES_H
#define GAECHANNEL_NET_AUTHORITIES_H

#include <stdbool.h>

/* Whether libcurl knows by itself. One that was built for no system in particular does not. */
bool net_finds_authorities(void);

#endif
