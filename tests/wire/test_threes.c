/* threes.h: what it reads at once is what a character at a time gives. */
#include "check.h"

#include "wire/threes.h"

#define LONGEST 40

/* A character of three bytes, any; returns where the next one goes. */
static uint8_t *put_three(uint8_t *out, uint32_t code) {
    out[0] = (uint8_t)(0xE0 | code >> 12);
    out[1] = (uint8_t)(0x80 | (code >> 6 & 0x3F));
    out[2] = (uint8_t)(0x80 | (code & 0x3F));
    return out + 3;
}

/* Read a run of `count` characters with `behind` behind it. */
static void check_run(const uint32_t *codes, size_t count, const char *behind, size_t most) {
    uint8_t text[3 * LONGEST + 128];
    uint8_t *end = text;
    for (size_t i = 0; i < count; i++)
        end = put_three(end, codes[i]);
    memcpy(end, behind, strlen(behind));
    size_t length = (size_t)(end - text) + strlen(behind);
    // Both of just their size, so that a sanitizer sees a step beside them.
    uint8_t *copy = check_copy(text, length);
    uint32_t *read = malloc((most > 0 ? most : 1) * sizeof *read);
    CHECK(read != NULL);
    size_t wanted = count < most ? count : most;
    CHECK(threes_read(copy, copy + length, most, read) == wanted);
    CHECK(memcmp(read, codes, wanted * sizeof *read) == 0);
    free(read);
    free(copy);
}

static void a_run_of_every_length_ends_where_others_begin(void) {
    static const char *const others[] = {
        "\"",
        " \xE6\xAC\xA1\xE6\xAC\xA1\xE6\xAC\xA1\xE6\xAC\xA1\xE6\xAC\xA1\xE6\xAC\xA1\xE6\xAC\xA1\xE6\xAC\xA1"
        "\xE6\xAC\xA1]",
        "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9]",
        "\xDF\xBF]",
        "\xF0\x9F\x9A\xA2 \xF0\x9F\x9A\xA2 \xF0\x9F\x9A\xA2 \xF0\x9F\x9A\xA2 \xF0\x9F\x9A\xA2]",
        "\xF0\x90\x80\x80]",
        "\\u6b21                                ]",
    };
    uint64_t seed = 3;
    uint32_t codes[LONGEST];
    for (size_t count = 0; count <= LONGEST; count++)
        for (size_t other = 0; other < sizeof others / sizeof *others; other++) {
            for (size_t i = 0; i < count; i++)
                codes[i] = 0x800 + (uint32_t)check_random_below(&seed, 0xD800 - 0x800);
            check_run(codes, count, others[other], LONGEST + 8);
        }
}

static void no_more_are_read_than_are_wanted(void) {
    uint32_t codes[LONGEST];
    for (size_t i = 0; i < LONGEST; i++)
        codes[i] = 0x6B21;
    for (size_t most = 0; most <= LONGEST; most++)
        check_run(codes, LONGEST, "\"", most);
}

static void every_character_is_read_as_it_is(void) {
    for (uint32_t code = 0x800; code < 0x10000; code++) {
        if (code >= 0xD800 && code < 0xE000)
            continue;
        uint32_t codes[12];
        for (size_t i = 0; i < 12; i++)
            codes[i] = code;
        check_run(codes, 12, "\"", 12);
    }
}

static const check_case cases[] = {
    CASE(a_run_of_every_length_ends_where_others_begin),
    CASE(no_more_are_read_than_are_wanted),
    CASE(every_character_is_read_as_it_is),
};

CHECK_MAIN(cases)
