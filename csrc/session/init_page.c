/* talk: the page that names clid and gsessionid before the session is opened. */
#include <stdlib.h> // malloc()
#include <string.h>

#include "session/fields.h"

init_page session_read_init_page(session *self, const char *page, size_t length) {
    static const char call[] = "new chat.WcsDataClient(";
    const char *end = page + length;
    const char *at = page;
    while ((at = memchr(at, 'n', (size_t)(end - at))) != NULL) {
        if ((size_t)(end - at) >= sizeof call - 1 && memcmp(at, call, sizeof call - 1) == 0)
            break;
        at++;
    }
    if (at == NULL)
        return PAGE_OTHER;
    // The arguments are literals: read them as an array's elements, of which only the first four matter.
    at += sizeof call - 2;
    size_t arguments_length = (size_t)(end - at);
    char *arguments = malloc(arguments_length);
    if (arguments == NULL)
        return PAGE_NO_MEMORY;
    memcpy(arguments, at, arguments_length);
    arguments[0] = '[';
    literal_reader reader;
    literal_init(&reader, (const uint8_t *)arguments, arguments_length);
    literal_reader clid;
    bool found = literal_next(&reader) == LITERAL_ARRAY_BEGIN && literal_next(&reader) == LITERAL_STRING &&
                 literal_next(&reader) == LITERAL_STRING && literal_next(&reader) == LITERAL_STRING &&
                 reader.token_length != 0;
    clid = reader;
    found = found && literal_next(&reader) == LITERAL_STRING;
    bool kept = found && session_set_from_token(self, FIELD_CLID, &clid) &&
                session_set_from_token(self, FIELD_GSESSIONID, &reader);
    free(arguments);
    if (!kept)
        strbuf_clear(&self->fields[FIELD_CLID]);
    return kept ? PAGE_READ : found ? PAGE_NO_MEMORY : PAGE_OTHER;
}
