/* The caller's headers, as libcurl wants them: each request keeps those that it began with. */
#include "net/headers.h"

#include <stdbool.h>
#include <stdlib.h> // calloc()
#include <string.h> // strcspn()

static bool add(headers *self, const char *line) {
    struct curl_slist *lines = curl_slist_append(self->lines, line);
    if (lines != NULL)
        self->lines = lines;
    return lines != NULL;
}

headers *headers_new(const char *lines) {
    headers *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->owners = 1;
    // A server that does not answer "Expect: 100-continue" costs a second's wait.
    bool added = add(self, "Expect:");
    while (added && lines != NULL && *lines != '\0') {
        size_t length = strcspn(lines, "\n");
        char *line = strndup(lines, length);
        added = line != NULL && add(self, line);
        free(line);
        lines += length + (lines[length] == '\n');
    }
    if (added)
        return self;
    headers_release(self);
    return NULL;
}

headers *headers_share(headers *self) {
    if (self != NULL)
        self->owners++;
    return self;
}

void headers_release(headers *self) {
    if (self == NULL || --self->owners > 0)
        return;
    curl_slist_free_all(self->lines);
    free(self);
}
