/* Where a redirect may lead. */
#ifndef GAECHANNEL_NET_REDIRECTS_H
#define GAECHANNEL_NET_REDIRECTS_H

#include <stdbool.h>

#include "session/strbuf.h"

/* Whether a redirect of one URL to another is not followed; then why is appended to the words, for a person.
 */
bool redirects_refuse(const char *from, const char *to, strbuf *words);

#endif
