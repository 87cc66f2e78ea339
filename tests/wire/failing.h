/* Memory that runs out when a test says so. What is compiled with -Dmalloc=failing_malloc and so on takes its
 * memory here. To be included first, once a program. */
#ifndef GAECHANNEL_TESTS_FAILING_H
#define GAECHANNEL_TESTS_FAILING_H

#undef malloc
#undef calloc
#undef realloc
#undef strdup
#undef strndup
#include "check.h"

// How many allocations are still to succeed before one fails; -1: all. Whether all fail from that one on.
static long failing_left = -1;
static bool failing_for_good;
// How many have failed.
static size_t failing_count;

static bool failing_now(void) {
    if (failing_left != 0) {
        failing_left -= failing_left > 0;
        return false;
    }
    if (!failing_for_good)
        failing_left = -1;
    failing_count++;
    return true;
}

void *failing_malloc(size_t size);
void *failing_calloc(size_t count, size_t size);
void *failing_realloc(void *memory, size_t size);
char *failing_strdup(const char *text);
char *failing_strndup(const char *text, size_t length);

void *failing_malloc(size_t size) {
    return failing_now() ? NULL : malloc(size);
}

void *failing_calloc(size_t count, size_t size) {
    return failing_now() ? NULL : calloc(count, size);
}

void *failing_realloc(void *memory, size_t size) {
    return failing_now() ? NULL : realloc(memory, size);
}

char *failing_strdup(const char *text) {
    return failing_now() ? NULL : strdup(text);
}

char *failing_strndup(const char *text, size_t length) {
    return failing_now() ? NULL : strndup(text, length);
}

#endif
