/* Which buffers libcurl is asked for: one of each kind of its versions, by what it was told.
 *
 * What buffers.c calls of libcurl, and of what is known of it, is here. */
#include "check.h"

#include <stdarg.h>

#include "net/buffers.h"
#include "net/libcurl.h"

#define BOOKWORM 0x075801 // 7.88.1
#define BEFORE 0x080600
#define SINCE 0x080700

// More than are few.
#define MANY 10000

static curl_version_info_data version;
// What was set last; 0: nothing.
static long receives, sends;
static curl_off_t downloaded;

const curl_version_info_data *libcurl_info(void) {
    return &version;
}

#undef curl_easy_setopt
CURLcode curl_easy_setopt(CURL *easy, CURLoption option, ...) {
    va_list arguments;
    CHECK(easy == NULL);
    va_start(arguments, option);
    long bytes = va_arg(arguments, long);
    va_end(arguments);
    CHECK(option == CURLOPT_BUFFERSIZE || option == CURLOPT_UPLOAD_BUFFERSIZE);
    *(option == CURLOPT_BUFFERSIZE ? &receives : &sends) = bytes;
    return CURLE_OK;
}

#undef curl_easy_getinfo
CURLcode curl_easy_getinfo(CURL *easy, CURLINFO info, ...) {
    va_list arguments;
    CHECK(easy == NULL && info == CURLINFO_SIZE_DOWNLOAD_T);
    va_start(arguments, info);
    *va_arg(arguments, curl_off_t *) = downloaded;
    va_end(arguments);
    return CURLE_OK;
}

static long receives_of(unsigned number, size_t channels, bool was_busy, bool may_http2) {
    version.version_num = number;
    receives = 0;
    buffers_for_response(NULL, channels, was_busy, may_http2);
    return receives;
}

static long sends_of(unsigned number, bool posts, size_t body_length) {
    version.version_num = number;
    sends = 0;
    buffers_for_request(NULL, posts, body_length);
    return sends;
}

static void one_buffer_for_all_channels_is_large(void) {
    for (int how = 0; how < 4; how++) {
        CHECK(receives_of(SINCE, MANY, how & 1, how & 2) == 64 * 1024);
        CHECK(receives_of(0x081600, MANY, how & 1, how & 2) == 64 * 1024);
    }
}

static void one_for_each_of_many_is_small_until_a_response_was_busy(void) {
    CHECK(receives_of(BOOKWORM, MANY, false, false) == 1024);
    CHECK(receives_of(BEFORE, MANY, false, false) == 1024);
    CHECK(receives_of(BOOKWORM, MANY, true, false) == 64 * 1024);
    CHECK(receives_of(BEFORE, MANY, true, false) == 64 * 1024);
}

static void where_channels_are_few_each_may_be_large(void) {
    CHECK(receives_of(BOOKWORM, 1, false, false) == 64 * 1024);
    CHECK(receives_of(BOOKWORM, 8, false, false) == 64 * 1024);
    CHECK(receives_of(BOOKWORM, 9, false, false) == 1024);
}

static void what_may_go_over_http2_has_room_for_a_frame(void) {
    CHECK(receives_of(BOOKWORM, MANY, false, true) == 16 * 1024);
    CHECK(receives_of(BOOKWORM, MANY, true, true) == 64 * 1024);
}

static void a_response_is_busy_by_what_it_brought(void) {
    downloaded = 256 * 1024 - 1;
    CHECK(!buffers_were_busy(NULL));
    downloaded++;
    CHECK(buffers_were_busy(NULL));
}

// A handle gives a buffer back where the next request wants one of another size.
static void what_a_post_went_through_is_given_back_by_the_get_behind_it(void) {
    long small = sends_of(SINCE, true, 10), large = sends_of(SINCE, true, 1 << 20);
    long none = sends_of(SINCE, false, 0);
    CHECK(small == 16 * 1024 && large == 64 * 1024);
    CHECK(none != 0 && none != small && none != large);
    CHECK(sends_of(SINCE, true, 16 * 1024) == small);
    CHECK(sends_of(SINCE, true, 16 * 1024 + 1) == large);
    // What was sent needs no other word.
    sends = 0;
    buffers_sent(NULL);
    CHECK(sends == 0);
}

static void before_8_7_it_is_given_back_once_a_head_was_sent(void) {
    CHECK(sends_of(BEFORE, true, 10) == 0);
    CHECK(sends_of(BEFORE, false, 0) == 0);
    buffers_sent(NULL);
    CHECK(sends != 0);
}

static const check_case cases[] = {
    CASE(one_buffer_for_all_channels_is_large),
    CASE(one_for_each_of_many_is_small_until_a_response_was_busy),
    CASE(where_channels_are_few_each_may_be_large),
    CASE(what_may_go_over_http2_has_room_for_a_frame),
    CASE(a_response_is_busy_by_what_it_brought),
    CASE(what_a_post_went_through_is_given_back_by_the_get_behind_it),
    CASE(before_8_7_it_is_given_back_once_a_head_was_sent),
};

CHECK_MAIN(cases)
