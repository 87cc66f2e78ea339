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

/* Of "Name: value" lines, each ended by LF; NULL for none; and of what is asked for besides, such as content
 * codings where no line does. NULL when memory ran out. */
headers *headers_new(const char *lines);

/* One more request, or one less, has these headers; NULL is let through. */
headers *headers_share(headers *self);
void headers_release(headers *self);

#endif
