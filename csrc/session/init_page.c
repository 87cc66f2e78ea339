/* talk: the page that names clid and gsessionid before the session is opened. */
#include <stdlib.h> // malloc()
#include <string.h>

#include "session/fields.h"

bool session_read_init_page(session *self, const char *page, size_t length) {
    static const char call[] = "new chat.WcsDataClient(";
    const char *end = page + length;
    const char *at = page;
    while ((at = memchr(at, 'n', (size_t)(end - at))) != NULL) {
        if ((size_t)(end - at) >= sizeof call - 1 && memcmp(at, call, sizeof call - 1) == 0)
            break;
        at++;
    }
    if (at == NULL)
        return false;
    // The arguments are literals: read them as an array's elements, of which only the first four matter.
    at += sizeof call - 2;
    size_t arguments_length = (size_t)(end - at);
    char *arguments = malloc(arguments_length);
    if (arguments == NULL)
        return false;
    memcpy(arguments, at, arguments_length);
    arguments[0] = '[';
    literal_reader reader;
    literal_init(&reader, (const uint8_t *)arguments, arguments_length);
    bool found = literal_next(&reader) == LITERAL_ARRAY_BEGIN && literal_next(&reader) == LITERAL_STRING &&
                 literal_next(&reader) == LITERAL_STRING && literal_next(&reader) == LITERAL_STRING &&
                 reader.token_length != 0 && session_set_from_token(self, FIELD_CLID, &reader) &&
                 literal_next(&reader) == LITERAL_STRING &&
                 session_set_from_token(self, FIELD_GSESSIONID, &reader);
    free(arguments);
    if (!found)
        strbuf_clear(&self->fields[FIELD_CLID]);
    return found;
}
