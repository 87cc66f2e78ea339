/* libcurl reading a response into nothing: the most that anything built on it can reach.
 *
 *     curl_sink URL BUFFER_BYTES
 *
 * BUFFER_BYTES is CURLOPT_BUFFERSIZE; 0 leaves libcurl's default. Prints the seconds from the first byte of
 * the body to its end, and the body's bytes. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double first_at;
static size_t total;

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static size_t drop(char *bytes, size_t size, size_t count, void *unused) {
    (void)bytes;
    (void)unused;
    if (total == 0)
        first_at = now();
    total += size * count;
    return size * count;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: %s URL BUFFER_BYTES\n", arguments[0]);
        return 2;
    }
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, arguments[1]);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    long buffer = atol(arguments[2]);
    if (buffer > 0)
        curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer);
    CURLcode code = curl_easy_perform(easy);
    if (code != CURLE_OK) {
        fprintf(stderr, "%s\n", curl_easy_strerror(code));
        return 1;
    }
    printf("%.9f %zu\n", now() - first_at, total);
    curl_easy_cleanup(easy);
    return 0;
}
