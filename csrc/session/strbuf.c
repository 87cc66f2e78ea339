/* Text that grows. */
#include "strbuf.h"

#include <stdarg.h>
#include <stdint.h> // UINT32_MAX
#include <stdio.h>  // vsnprintf()
#include <stdlib.h> // realloc()
#include <string.h>

void strbuf_free(strbuf *buf) {
    free(buf->data);
    *buf = (strbuf){0};
}

bool strbuf_failed(const strbuf *buf) {
    return buf->capacity == UINT32_MAX;
}

void strbuf_fail(strbuf *buf) {
    buf->capacity = UINT32_MAX;
}

void strbuf_clear(strbuf *buf) {
    if (strbuf_failed(buf))
        strbuf_free(buf);
    buf->length = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

static bool reserve_exactly(strbuf *buf, uint64_t capacity) {
    char *data = capacity < UINT32_MAX ? realloc(buf->data, (size_t)capacity) : NULL;
    if (data == NULL) {
        strbuf_fail(buf);
        return false;
    }
    buf->data = data;
    buf->capacity = (uint32_t)capacity;
    return true;
}

// Make room for `more` bytes and a NUL.
static bool reserve(strbuf *buf, size_t more) {
    if (strbuf_failed(buf))
        return false;
    if (more < buf->capacity - buf->length)
        return true;
    uint64_t capacity = buf->capacity ? buf->capacity : 32;
    while (capacity - buf->length <= more && capacity < UINT32_MAX)
        capacity *= 2;
    return reserve_exactly(buf, capacity);
}

void strbuf_trim(strbuf *buf) {
    if (buf->data == NULL || strbuf_failed(buf))
        return;
    char *data = realloc(buf->data, buf->length + 1);
    if (data == NULL)
        return; // it is only a matter of memory
    buf->data = data;
    buf->capacity = buf->length + 1;
}

void strbuf_append(strbuf *buf, const char *bytes, size_t length) {
    if (!reserve(buf, length))
        return;
    if (length != 0)
        memcpy(buf->data + buf->length, bytes, length);
    buf->length += (uint32_t)length;
    buf->data[buf->length] = '\0';
}

void strbuf_text(strbuf *buf, const char *text) {
    strbuf_append(buf, text, strlen(text));
}

void strbuf_format(strbuf *buf, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length < 0)
        return;
    strbuf_append(buf, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void strbuf_quote(strbuf *buf, const char *bytes, size_t length) {
    static const char hex[] = "0123456789ABCDEF";
    if (!reserve(buf, length * 3))
        return;
    char *out = buf->data + buf->length;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
        if (plain) {
            *out++ = (char)byte;
        } else if (byte == ' ') {
            *out++ = '+';
        } else {
            *out++ = '%';
            *out++ = hex[byte >> 4];
            *out++ = hex[byte & 15];
        }
    }
    *out = '\0';
    buf->length = (uint32_t)(out - buf->data);
}

void strbuf_parameter(strbuf *buf, const char *lead, const strbuf *value) {
    strbuf_text(buf, lead);
    strbuf_quote(buf, strbuf_str(value), value->length);
}

bool strbuf_set(strbuf *buf, const char *text) {
    strbuf_clear(buf);
    if (text != NULL && buf->data == NULL)
        reserve_exactly(buf, strlen(text) + 1);
    if (text != NULL)
        strbuf_text(buf, text);
    return !strbuf_failed(buf);
}

const char *strbuf_str(const strbuf *buf) {
    return buf->data != NULL ? buf->data : "";
}
