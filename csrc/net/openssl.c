/* The buffers of an idle connection's TLS.
 *
 * libcurl gives each connection a context of its own, and shows it to whoever wants to see it. A build
 * against the system's libcurl knows no OpenSSL: it looks for the one that libcurl has brought into the
 * process, and leaves any other alone. */
#include "net/openssl.h"

#include <pthread.h>
#include <string.h>

#include "net/libcurl.h"

#ifndef CURL_STATICLIB // a wheel has AWS-LC, which keeps no buffers
#include <dlfcn.h>
#include <stdio.h>
#endif

// As OpenSSL has them since 3.0.
typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;
#define SSL_CTRL_MODE 33
#define SSL_MODE_RELEASE_BUFFERS 0x10
#define SSL_CTRL_SET_MAX_SEND_FRAGMENT 52
#define OPENSSL_VERSION_STRING 6

// Bytes to a record that is sent. A server's session ticket makes OpenSSL 3.0 set up what a record is written
// in, and keep it until the next one is: 16 KiB unless told otherwise.
#define RECORD 4096

typedef long control(SSL_CTX *context, int what, long number, void *more);
typedef int release(SSL *connection);

static control *tell;
static release *free_buffers;

#ifdef CURL_STATICLIB
static void find(void) {
}
#else
typedef const char *version(int what);
typedef unsigned long number(void);

static void *look_up(const char *name) {
    return dlsym(RTLD_DEFAULT, name);
}

// OpenSSL 3.0 alone keeps what is not needed, and may be told to free it since 3.0.14: before, it freed what
// had come of a record as well (CVE-2024-4741).
static void find_free_buffers(void) {
    void *found[] = {look_up("OpenSSL_version_num"), look_up("SSL_free_buffers")};
    number *say;
    if (found[0] == NULL || found[1] == NULL)
        return;
    memcpy(&say, &found[0], sizeof say);
    if (say() >= 0x300000E0 && say() < 0x30100000)
        memcpy(&free_buffers, &found[1], sizeof free_buffers);
}

// Where a process has two, this one may not be libcurl's, and must not be let near its contexts.
static void find(void) {
    void *found[] = {look_up("OpenSSL_version"), look_up("SSL_CTX_ctrl")};
    version *say;
    char words[64];
    const char *known = libcurl_info()->ssl_version;
    if (known == NULL || found[0] == NULL || found[1] == NULL)
        return;
    memcpy(&say, &found[0], sizeof say);
    int length = snprintf(words, sizeof words, "OpenSSL/%s", say(OPENSSL_VERSION_STRING));
    if (length > 0 && (size_t)length < sizeof words && strcmp(known, words) == 0) {
        memcpy(&tell, &found[1], sizeof tell);
        find_free_buffers();
    }
}
#endif

static CURLcode on_context(CURL *easy, void *context, void *unused) {
    (void)easy, (void)unused;
    tell(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    tell(context, SSL_CTRL_SET_MAX_SEND_FRAGMENT, RECORD, NULL);
    return CURLE_OK;
}

void openssl_keep_less(CURL *easy) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find);
    if (tell != NULL)
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
}

void openssl_free_buffers(CURL *easy) {
    struct curl_tlssessioninfo *known = NULL;
    if (free_buffers == NULL || curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &known) != CURLE_OK ||
        known == NULL || known->backend != CURLSSLBACKEND_OPENSSL || known->internals == NULL)
        return;
    (void)free_buffers(known->internals); // it frees none that holds something
}
