/* Preloaded: every name that is looked up has the address that stands in the file $ADDRESS; where that is
 * empty, no name is known. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **found) {
    int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    *(void **)&next = dlsym(RTLD_NEXT, "getaddrinfo");
    char address[64] = "";
    FILE *file = fopen(getenv("ADDRESS"), "r");
    if (file == NULL)
        return EAI_FAIL;
    if (name != NULL && fgets(address, sizeof address, file) == NULL)
        address[0] = '\0';
    fclose(file);
    if (name != NULL && address[0] == '\0')
        return EAI_NONAME;
    return next(name != NULL ? address : NULL, service, hints, found);
}
