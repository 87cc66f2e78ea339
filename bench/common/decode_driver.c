/* Decodes a body again and again as the extension module does it, without an interpreter, for counting
 * instructions.
 *
 *     decode_driver FILE PASSES
 */
#include <stdio.h>
#include <stdlib.h>

#include "wire/arrays.h"
#include "wire/framer.h"
#include "wire/literal_text.h"

static uint8_t *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        return NULL;
    *length = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*length);
    if (bytes != NULL && fread(bytes, 1, *length, file) != *length)
        return NULL;
    fclose(file);
    return bytes;
}

static size_t decode(const uint8_t *body, size_t length, uint8_t *room) {
    framer frames;
    framer_chunk chunk;
    size_t total = 0;
    framer_init(&frames, 0);
    framer_feed(&frames, body, length);
    while (framer_next(&frames, &chunk) == FRAMER_CHUNK) {
        arrays_reader reader;
        wire_array array;
        arrays_init(&reader, chunk.payload, chunk.length);
        while (arrays_next(&reader, &array) == ARRAYS_ARRAY) {
            const wire_string *text = &array.text;
            const uint8_t *made;
            size_t text_length = text->length;
            if (text->escaped || !chunk.is_ascii)
                literal_text(text->bytes, text->length, text->escaped, room, &made, &text_length);
            total += text_length;
        }
    }
    framer_clear(&frames);
    return total;
}

int main(int count, char **arguments) {
    size_t length, total = 0;
    uint8_t *body = count == 3 ? read_file(arguments[1], &length) : NULL;
    uint8_t *room = body != NULL ? malloc(LITERAL_TEXT_ROOM(length)) : NULL;
    if (room == NULL) {
        fprintf(stderr, "usage: %s FILE PASSES\n", arguments[0]);
        return 2;
    }
    for (int i = atoi(arguments[2]); i > 0; i--)
        total += decode(body, length, room);
    printf("%zu\n", total);
    free(room);
    free(body);
    return 0;
}
