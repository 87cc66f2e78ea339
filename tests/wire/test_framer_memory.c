/* framer.h where memory runs out. The framer is compiled in here, with a realloc that can refuse. */
#include "check.h"

// How many more calls of realloc succeed.
static int reallocs_left;

static void *scarce_realloc(void *old, size_t size) {
    return reallocs_left-- > 0 ? realloc(old, size) : NULL;
}

#define realloc scarce_realloc
#include "wire/framer.c"
#undef realloc

/* Feed the first `cut` bytes of a chunk, then the rest, with room for one allocation less than it takes. */
static void check_runs_out(const char *body, size_t cut, int reallocs) {
    framer frames;
    framer_chunk chunk;
    framer_init(&frames, 0);
    reallocs_left = reallocs;
    framer_feed(&frames, (const uint8_t *)body, cut);
    framer_status status = framer_next(&frames, &chunk);
    if (reallocs > 0) {
        CHECK(status == FRAMER_NEED_MORE);
        framer_feed(&frames, (const uint8_t *)body + cut, strlen(body) - cut);
        status = framer_next(&frames, &chunk);
    }
    CHECK(status == FRAMER_NO_MEMORY);
    CHECK(framer_next(&frames, &chunk) == FRAMER_NO_MEMORY);
    CHECK(frames.held == NULL && frames.error != NULL);
    framer_clear(&frames);
}

static void no_memory_is_told_and_for_good(void) {
    char body[1000];
    memset(body, 'x', sizeof body);
    memcpy(body, "900\n", 4);
    body[sizeof body - 1] = 0;
    check_runs_out(body, 10, 0);
    check_runs_out(body, 10, 1);
}

static void no_memory_for_the_rest_of_a_character_is_told(void) {
    char body[270];
    memset(body, 'x', sizeof body);
    memcpy(body, "900\n", 4);
    // Fills the first allocation to its last byte with the first half of a character.
    memcpy(body + 4 + 255, "\xC3\xA9", 3);
    check_runs_out(body, 4 + 256, 1);
}

static void a_capacity_that_cannot_double_is_told(void) {
    framer frames;
    framer_init(&frames, 0);
    frames.held_capacity = SIZE_MAX / 2 + 1;
    frames.held_length = SIZE_MAX / 2 - 1;
    CHECK(!grow_held(&frames, 3));
    CHECK(frames.when_empty == FRAMER_NO_MEMORY);
    framer_clear(&frames);
}

static const check_case cases[] = {
    CASE(no_memory_is_told_and_for_good),
    CASE(no_memory_for_the_rest_of_a_character_is_told),
    CASE(a_capacity_that_cannot_double_is_told),
};

CHECK_MAIN(cases)
