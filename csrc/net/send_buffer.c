/* How many bytes of a request libcurl sends at once.
 *
 * Since 8.7 a handle keeps the buffer that a POST went through, 64 kB unless told otherwise, until a request
 * wants one of another size. The back channel that follows on the same handle, for minutes, sends its head
 * without one. */
#include "net/send_buffer.h"

// Before, there was no buffer to be kept.
#define KEEPS_BUFFER 0x080700

#define LARGE_BUFFER (64 * 1024L)
#define SMALL_BUFFER (16 * 1024L) // the least that libcurl takes
// Neither of the two, so that what a POST had is given back; rarely made.
#define GET_BUFFER (SMALL_BUFFER + 1)

void send_buffer_choose(CURL *easy, bool posts, size_t body_length) {
    if (curl_version_info(CURLVERSION_NOW)->version_num < KEEPS_BUFFER)
        return;
    long bytes = !posts ? GET_BUFFER : body_length > (size_t)SMALL_BUFFER ? LARGE_BUFFER : SMALL_BUFFER;
    curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, bytes);
}
