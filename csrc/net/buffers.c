/* A large buffer saves calls of the system where much comes or goes, and costs its memory where nothing does.
 *
 * Since 8.7 libcurl has one receive buffer a multi handle; before, each transfer has its own for as long as
 * it takes. And since then a handle keeps the buffer that a POST went through, 64 kB unless told otherwise,
 * until a request wants one of another size: the back channel that follows on the same handle, for minutes,
 * sends its head without one. Before, a head that goes by TLS is copied to such a buffer, which is kept until
 * the response's end, or until a size is set, be it the same. */
#include "net/buffers.h"

#include "net/libcurl.h"

#define BUFFERS_CHANGED 0x080700

#define LARGE_BUFFER (64 * 1024L)
#define SMALL_RECEIVE_BUFFER 1024L     // the least that libcurl takes
#define SMALL_SEND_BUFFER (16 * 1024L) // the same
// Neither of the sizes for a POST, so that what that had is given back; rarely made.
#define GET_BUFFER (SMALL_SEND_BUFFER + 1)

// Where each transfer has its own buffer: so many channels of a loop may all have large ones, half a MiB
// together.
#define FEW_CHANNELS 8

// A response that has brought so many bytes is a busy one.
#define BUSY_RESPONSE (256 * 1024)

// The largest frame of HTTP/2 that libcurl lets servers send. Where its buffer is smaller, libcurl (7.88) may
// leave the end of what a stream has brought until something else comes.
#define HTTP2_BUFFER (16 * 1024L)

static bool have_changed(void) {
    return libcurl_info()->version_num >= BUFFERS_CHANGED;
}

void buffers_for_response(CURL *easy, size_t channels, bool was_busy, bool may_http2) {
    long bytes = may_http2 ? HTTP2_BUFFER : SMALL_RECEIVE_BUFFER;
    if (channels <= FEW_CHANNELS || was_busy || have_changed())
        bytes = LARGE_BUFFER;
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, bytes);
}

bool buffers_were_busy(CURL *easy) {
    curl_off_t bytes = 0;
    curl_easy_getinfo(easy, CURLINFO_SIZE_DOWNLOAD_T, &bytes);
    return bytes >= BUSY_RESPONSE;
}

void buffers_for_request(CURL *easy, bool posts, size_t body_length) {
    if (!have_changed())
        return;
    bool is_small = body_length <= (size_t)SMALL_SEND_BUFFER;
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
                     !posts     ? GET_BUFFER
                     : is_small ? SMALL_SEND_BUFFER
                                : LARGE_BUFFER);
}

void buffers_sent(CURL *easy) {
    if (!have_changed())
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, LARGE_BUFFER);
}
