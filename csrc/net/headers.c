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
// By a header of ours, one text serves all channels; libcurl, where it is told, keeps three for each.
#define NAME "User-Agent:"
#define OWN_NAME NAME " " HEADERS_USER_AGENT

// The headers of all channels whose caller has none: nobody changes them.
static headers *without_callers(bool names_itself) {
    static char accept[] = ACCEPT_CODINGS, no_expect[] = NO_EXPECT, own_name[] = OWN_NAME;
    static struct curl_slist third = {.data = accept}, second = {.data = no_expect, .next = &third},
                             first = {.data = own_name, .next = &second};
    static headers named = {.lines = &first, .is_static = true};
    static headers unnamed = {.lines = &second, .is_static = true};
    return names_itself ? &named : &unnamed;
}

static bool add(headers *self, const char *line) {
    struct curl_slist *lines = curl_slist_append(self->lines, line);
    if (lines != NULL)
        self->lines = lines;
    return lines != NULL;
}

headers *headers_new(const char *lines, bool names_itself) {
    if (lines == NULL || *lines == '\0')
        return without_callers(names_itself);
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
        names_itself &= strncasecmp(lines, NAME, sizeof NAME - 1) != 0;
        lines += length + (lines[length] == '\n');
    }
    if (added && (accepts || add(self, ACCEPT_CODINGS)) && (!names_itself || add(self, OWN_NAME)))
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
