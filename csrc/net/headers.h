/* The caller's headers, as libcurl wants them: each request keeps those that it began with. */
#ifndef GAECHANNEL_NET_HEADERS_H
#define GAECHANNEL_NET_HEADERS_H

#include <stdbool.h>

#include <curl/curl.h>

typedef struct headers {
    struct curl_slist *lines;
    // How many requests and channels have these headers; of static ones, it does not matter.
    int owners;
    bool is_static;
} headers;

/* What the package calls itself. */
#define HEADERS_USER_AGENT "gaechannel/" GAECHANNEL_VERSION

/* Of "Name: value" lines, each ended by LF; NULL for none; and of what is asked for besides: content codings,
 * where no line does; and, where none says what the client is called and it `names_itself`, the package's
 * name. NULL when memory ran out. */
headers *headers_new(const char *lines, bool names_itself);

/* One more request, or one less, has these headers; NULL is let through. */
headers *headers_share(headers *self);
void headers_release(headers *self);

#endif
