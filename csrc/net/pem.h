/* What is wrong with a file that was to hold certificates or a key, as far as one can see. */
#ifndef GAECHANNEL_NET_PEM_H
#define GAECHANNEL_NET_PEM_H

#include <stdbool.h>

#include "session/strbuf.h"

typedef enum pem_part { PEM_CERTIFICATE, PEM_KEY } pem_part;

/* Append what keeps the file from being used for that, behind its path: " is empty". False, and nothing
 * appended, where it seems to hold it. Reads files alone, no pipe, which may have no end. */
bool pem_tell(const char *path, pem_part wanted, strbuf *words);

#endif
