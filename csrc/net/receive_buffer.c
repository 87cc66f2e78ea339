/* How many bytes libcurl receives at once. A large buffer saves calls of the system where much comes, and
 * costs its memory where nothing does. */
#include "net/receive_buffer.h"

// Since 8.7 libcurl has one receive buffer a multi handle; before, each transfer has its own for as long as
// it takes.
#define ONE_BUFFER_A_LOOP 0x080700

#define LARGE_BUFFER (64 * 1024L)
#define SMALL_BUFFER 1024L // the least that libcurl takes

// Where each transfer has its own buffer: so many channels of a loop may all have large ones, half a MiB
// together.
#define FEW_CHANNELS 8

// A response that has brought so many bytes is a busy one.
#define BUSY_RESPONSE (256 * 1024)

// The largest frame of HTTP/2 that libcurl lets servers send. Where its buffer is smaller, libcurl (7.88) may
// leave the end of what a stream has brought until something else comes.
#define HTTP2_BUFFER (16 * 1024L)

static bool is_shared(void) {
    return curl_version_info(CURLVERSION_NOW)->version_num >= ONE_BUFFER_A_LOOP;
}

void receive_buffer_choose(CURL *easy, size_t channels, bool was_busy, bool may_http2) {
    long bytes = may_http2 ? HTTP2_BUFFER : SMALL_BUFFER;
    if (channels <= FEW_CHANNELS || was_busy || is_shared())
        bytes = LARGE_BUFFER;
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, bytes);
}

bool receive_buffer_was_busy(CURL *easy) {
    curl_off_t bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    return bytes >= BUSY_RESPONSE;
}
