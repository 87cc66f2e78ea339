/* The cookies that a channel's caller has given it. They stand beside those of libcurl's own, in one header;
 * a cookie that the server sets is the server's from then on. */
#include "net/cookies.h"

#include <stdbool.h>
#include <string.h>

static bool is_named(const char *cookie, const char *name, size_t name_length) {
    return strncmp(cookie, name, name_length) == 0 && cookie[name_length] == '=';
}

void cookies_drop(char *cookies, const char *name, size_t name_length) {
    char *to = cookies;
    for (const char *at = cookies; *at != '\0';) {
        size_t length = strcspn(at, ";");
        length += strspn(at + length, "; "); // with what parts it from the next one
        if (!is_named(at, name, name_length)) {
            memmove(to, at, length);
            to += length;
        }
        at += length;
    }
    while (to > cookies && (to[-1] == ';' || to[-1] == ' '))
        to--;
    *to = '\0';
}

size_t cookies_name_length(const char *value, size_t value_length) {
    size_t length = 0;
    while (length < value_length && value[length] != '=' && value[length] != ';')
        length++;
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    return length;
}
