/* What is wrong with a file that was to hold certificates or a key, as far as one can see. */
#ifndef GAECHANNEL_NET_PEM_H
#define GAECHANNEL_NET_PEM_H

typedef enum pem_part { PEM_CERTIFICATE, PEM_KEY } pem_part;

/* What keeps the file from being used for that, to stand behind its path: "is empty". NULL where it seems to
 * hold it. Reads files alone, no pipe, which may have no end. */
const char *pem_fault(const char *path, pem_part wanted);

#endif
