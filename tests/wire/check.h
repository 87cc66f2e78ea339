/* What the C test programs share. A program is a list of cases; `--list` prints their names, a name as its
 * argument runs that one, no argument runs all. A check that fails prints where and ends the program. */
#ifndef GAECHANNEL_TESTS_CHECK_H
#define GAECHANNEL_TESTS_CHECK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A test: the name says what must hold.
typedef struct check_case {
    const char *name;
    void (*run)(void);
} check_case;

#define CASE(function)                                                                                       \
    { #function, function }

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            check_fail(__FILE__, __LINE__, #condition);                                                      \
    } while (0)

static inline void check_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    exit(1);
}

/* Compare two texts; `about` is printed when they differ. */
static inline void check_text(const char *file, int line, const char *about, const char *got,
                              const char *want) {
    if (strcmp(got, want) == 0)
        return;
    fprintf(stderr, "%s:%d: %s\n  got  %s\n  want %s\n", file, line, about, got, want);
    exit(1);
}

#define CHECK_TEXT(about, got, want) check_text(__FILE__, __LINE__, about, got, want)

/* Random numbers, the same in every run. */
static inline uint32_t check_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

/* A number from 0 to `below` - 1. */
static inline size_t check_random_below(uint64_t *seed, size_t below) {
    return check_random(seed) % below;
}

/* The bytes in memory of their own, so that a sanitizer sees a step beside them. To be freed. */
static inline uint8_t *check_copy(const void *bytes, size_t length) {
    uint8_t *copy = malloc(length > 0 ? length : 1);
    CHECK(copy != NULL);
    if (length > 0)
        memcpy(copy, bytes, length);
    return copy;
}

// A text that is written piece by piece; what does not fit is an error.
typedef struct check_text_buffer {
    char text[8192];
    size_t length;
} check_text_buffer;

static inline void check_put(check_text_buffer *out, const void *bytes, size_t length) {
    CHECK(length < sizeof out->text - out->length);
    if (length > 0)
        memcpy(out->text + out->length, bytes, length);
    out->length += length;
    out->text[out->length] = 0;
}

static inline void check_print(check_text_buffer *out, const char *format, ...) {
    char piece[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(piece, sizeof piece, format, arguments);
    va_end(arguments);
    CHECK(length >= 0 && (size_t)length < sizeof piece);
    check_put(out, piece, (size_t)length);
}

static inline int check_main(int argc, char **argv, const check_case *cases, size_t count) {
    bool list = argc > 1 && strcmp(argv[1], "--list") == 0;
    bool found = argc < 2 || list;
    for (size_t i = 0; i < count; i++) {
        if (list) {
            puts(cases[i].name);
        } else if (argc < 2 || strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            found = true;
        }
    }
    if (!found)
        fprintf(stderr, "no case of that name: %s\n", argv[1]);
    return found ? 0 : 2;
}

#define CHECK_MAIN(cases)                                                                                    \
    int main(int argc, char **argv) {                                                                        \
        return check_main(argc, argv, cases, sizeof cases / sizeof *cases);                                  \
    }

#endif
