/* decimal.h: what it says of a number is what the C library reads. */
#include "check.h"

#include <inttypes.h>
#include <math.h> // ldexp
#include <stdlib.h>

#include "wire/decimal.h"

static uint64_t random_word(uint64_t *seed) {
    uint64_t upper = check_random(seed);
    return upper << 32 | check_random(seed);
}

/* Whether a number was told; if so, it must be strtod's to the last bit. */
static bool check_number(uint64_t digits, int exponent) {
    double got = -1;
    char text[64];
    snprintf(text, sizeof text, "%" PRIu64 "e%d", digits, exponent);
    if (!decimal_to_double(digits, exponent, &got))
        return false;
    double want = strtod(text, NULL);
    if (memcmp(&got, &want, sizeof got) != 0)
        check_fail(__FILE__, __LINE__, text);
    return true;
}

static void zero_is_zero_whatever_its_exponent(void) {
    CHECK(check_number(0, 0) && check_number(0, -100000) && check_number(0, 100000));
}

static void numbers_at_random_are_the_nearest(void) {
    uint64_t seed = 3;
    size_t told = 0, asked = 0;
    for (int i = 0; i < 200000; i++) {
        uint64_t digits = random_word(&seed) >> check_random_below(&seed, 64);
        digits = digits > 9999999999999999999u ? digits / 10 : digits;
        int exponent = (int)check_random_below(&seed, 270) - 135;
        told += check_number(digits, exponent);
        asked++;
    }
    // Between 1e-135 and 1e154 hardly any is left to the slow way.
    CHECK(told > asked - asked / 1000);
}

static void subnormal_numbers_are_the_nearest_however_few_digits_they_have(void) {
    uint64_t seed = 7;
    size_t told = 0;
    for (int i = 0; i < 100000; i++) {
        // Of 1 to 19 digits, down to below half of the smallest.
        uint64_t digits = random_word(&seed) % 10000000000000000000u;
        int cut = (int)check_random_below(&seed, 19);
        for (int k = 0; k < cut; k++)
            digits /= 10;
        int most = -308 - (18 - cut);
        told += check_number(digits + 1, most - (int)check_random_below(&seed, 18));
    }
    CHECK(told > 100000 - 100);
    // The largest, the smallest normal one, and what lies between them; the smallest, and about half of it.
    CHECK(check_number(2225073858507200889, -326) && check_number(22250738585072014, -324));
    CHECK(check_number(2225073858507201136, -326) && check_number(2225073858507201137, -326));
    CHECK(check_number(5, -324) && check_number(2470328229206232720, -342));
    CHECK(check_number(2470328229206232721, -342) && check_number(9999999999999999999u, -343));
}

static void ties_go_to_the_even_one(void) {
    uint64_t seed = 5;
    for (int i = 0; i < 20000; i++) {
        // 54 bits, the last of them set, and those that powers of ten can take away or give.
        uint64_t digits = (uint64_t)1 << 53 | random_word(&seed) >> 11 | 1;
        for (int exponent = 0; exponent <= 23; exponent++)
            check_number(digits, exponent);
        for (int exponent = -1; exponent >= -4 && digits < UINT64_MAX / 5; exponent--)
            check_number(digits *= 5, exponent);
    }
}

static void what_is_rounded_up_to_a_power_of_two_is_that_power(void) {
    for (int power = -1021; power <= 1023; power++) {
        char text[64], *behind;
        // 19 digits: a point behind the first, and an exponent behind the last.
        snprintf(text, sizeof text, "%.18e", ldexp(1, power));
        memmove(text + 1, text + 2, strlen(text + 2) + 1);
        uint64_t digits = strtoull(text, &behind, 10);
        int exponent = (int)strtol(behind + 1, NULL, 10) - 18;
        for (uint64_t near = digits - 3; near <= digits + 3; near++)
            check_number(near, exponent);
    }
    for (unsigned bits = 54; bits < 64; bits++)
        CHECK(check_number(((uint64_t)1 << bits) - 1, 0));
}

static void the_edges_are_told_or_left_alone(void) {
    CHECK(check_number(17976931348623157, 292) && check_number(22250738585072014, -324));
    CHECK(check_number(1, -307) && check_number(9007199254740993, 0) && check_number(9007199254740991, 22));
    double number;
    CHECK(!decimal_to_double(1, 309, &number) && !decimal_to_double(2, 308, &number));
    CHECK(!decimal_to_double(1, 100000, &number) && check_number(1, -100000));
}

/* Whether a number of 19 digits and those of `rest` behind them was told; if so, it must be strtod's. */
static bool check_first(uint64_t digits, const char *rest, int exponent) {
    double got = -1;
    char text[128];
    snprintf(text, sizeof text, "%" PRIu64 "%se%d", digits, rest, exponent - (int)strlen(rest));
    if (!decimal_first_to_double(digits, exponent, &got))
        return false;
    double want = strtod(text, NULL);
    if (memcmp(&got, &want, sizeof got) != 0)
        check_fail(__FILE__, __LINE__, text);
    return true;
}

static uint64_t nineteen_digits(uint64_t *seed) {
    return 1000000000000000000u + random_word(seed) % 9000000000000000000u;
}

static void numbers_of_more_digits_are_the_nearest_by_their_first(void) {
    static const char *const rests[] = {"0", "9", "5000000001", "999999999999999999999",
                                        "000000000000000001"};
    uint64_t seed = 11;
    size_t told = 0, asked = 0;
    for (int i = 0; i < 40000; i++) {
        uint64_t digits = nineteen_digits(&seed);
        int exponent = (int)check_random_below(&seed, 640) - 345;
        for (size_t k = 0; k < sizeof rests / sizeof *rests; k++)
            told += check_first(digits, rests[k], exponent), asked++;
    }
    // But for those that are infinite, and those whose last digits decide.
    CHECK(told > asked - asked / 10);
}

static void the_digits_behind_the_first_decide_between_two(void) {
    uint64_t seed = 13;
    for (int i = 0; i < 20000; i++) {
        // Of 61 to 63 bits, of which a double keeps 53: halfway between two of them, and beside that.
        unsigned cut = 8 + (unsigned)check_random_below(&seed, 3);
        uint64_t kept = (uint64_t)1 << 52 | random_word(&seed) >> 12;
        uint64_t digits = (kept << cut) + ((uint64_t)1 << (cut - 1));
        for (uint64_t near = digits - 2; near <= digits + 2; near++) {
            if (near < 1000000000000000000u || near > 9999999999999999999u)
                continue;
            check_first(near, "0", 0);
            check_first(near, "00000000001", 0);
            check_first(near, "99999999999", 0);
        }
    }
}

static const check_case cases[] = {
    CASE(zero_is_zero_whatever_its_exponent),
    CASE(numbers_at_random_are_the_nearest),
    CASE(subnormal_numbers_are_the_nearest_however_few_digits_they_have),
    CASE(ties_go_to_the_even_one),
    CASE(what_is_rounded_up_to_a_power_of_two_is_that_power),
    CASE(the_edges_are_told_or_left_alone),
    CASE(numbers_of_more_digits_are_the_nearest_by_their_first),
    CASE(the_digits_behind_the_first_decide_between_two),
};

CHECK_MAIN(cases)
