/* Where a redirect may lead. */
#ifndef GAECHANNEL_NET_REDIRECTS_H
#define GAECHANNEL_NET_REDIRECTS_H

/* Why a redirect of one URL to another is not followed, for a person; NULL: it is. */
const char *redirects_refuse(const char *from, const char *to);

#endif
