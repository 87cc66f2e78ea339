/* The caller's headers, as libcurl wants them: each request keeps those that it began with. */
#include "net/headers.h"

#include <stdbool.h>
#include <stdlib.h>  // calloc()
#include <string.h>  // strcspn()
#include <strings.h> // strncasecmp()

#include "net/content_coding.h"

// A server that does not answer "Expect: 100-continue" costs a second's wait.
#define NO_EXPECT "Expect:"
#define ACCEPT "Accept-Encoding:"
#define ACCEPT_CODINGS ACCEPT " " CONTENT_CODINGS

// The headers of all channels whose caller has none: nobody changes them.
static headers *without_callers(void) {
    static char accept[] = ACCEPT_CODINGS, no_expect[] = NO_EXPECT;
    static struct curl_slist second = {.data = accept}, first = {.data = no_expect, .next = &second};
    static headers shared = {.lines = &first, .is_static = true};
    return &shared;
}

static bool add(headers *self, const char *line) {
    struct curl_slist *lines = curl_slist_append(self->lines, line);
    if (lines != NULL)
        self->lines = lines;
    return lines != NULL;
}

headers *headers_new(const char *lines) {
    if (lines == NULL || *lines == '\0')
        return without_callers();
    headers *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->owners = 1;
    bool accepts = false;
    bool added = add(self, NO_EXPECT);
    while (added && *lines != '\0') {
        size_t length = strcspn(lines, "\n");
        char *line = strndup(lines, length);
        added = line != NULL && add(self, line);
        free(line);
        accepts |= strncasecmp(lines, ACCEPT, sizeof ACCEPT - 1) == 0;
        lines += length + (lines[length] == '\n');
    }
    if (added && (accepts || add(self, ACCEPT_CODINGS)))
        return self;
    headers_release(self);
    return NULL;
}

headers *headers_share(headers *self) {
    if (self != NULL && !self->is_static)
        self->owners++;
    return self;
}

void headers_release(headers *self) {
    if (self == NULL || self->is_static || --self->owners > 0)
        return;
    curl_slist_free_all(self->lines);
    free(self);
}
