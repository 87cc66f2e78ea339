/* What libcurl's handles are told of TLS. A proxy that is spoken to by TLS is trusted as servers are. */
#include "net/tls.h"

#include <stddef.h> // NULL

// Where libcurl's own certificates are, which a handle knows when it is made; on macOS they are left alone:
// there, once it is told of any places, it does not ask the system.
static const char *own_file(void) {
#ifdef __APPLE__
    return NULL;
#else
    return curl_version_info(CURLVERSION_NOW)->cainfo;
#endif
}

static const char *own_path(void) {
#ifdef __APPLE__
    return NULL;
#else
    return curl_version_info(CURLVERSION_NOW)->capath;
#endif
}

void tls_forget(CURL *easy) {
    if (own_file() != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, NULL);
    }
    if (own_path() != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    }
}

static bool is_set(CURL *easy, CURLoption option, const char *text) {
    return curl_easy_setopt(easy, option, text) != CURLE_OUT_OF_MEMORY;
}

static bool set_place(CURL *easy, CURLoption option, const char *given, const char *own) {
    const char *place = given != NULL ? given : own;
    return place == NULL || is_set(easy, option, *place != '\0' ? place : NULL);
}

bool tls_to_server(CURL *easy, const tls_options *options) {
    if (!options->verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return set_place(easy, CURLOPT_CAINFO, options->ca_file, own_file()) &&
           set_place(easy, CURLOPT_CAPATH, options->ca_path, own_path()) &&
           is_set(easy, CURLOPT_SSLCERT, options->cert) && is_set(easy, CURLOPT_SSLKEY, options->key);
}

bool tls_to_proxy(CURL *easy, const tls_options *options) {
    if (!options->verify) {
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    }
    return set_place(easy, CURLOPT_PROXY_CAINFO, options->ca_file, own_file()) &&
           set_place(easy, CURLOPT_PROXY_CAPATH, options->ca_path, own_path());
}

CURLSH *tls_new_share(void) {
    CURLSH *share = curl_share_init();
    if (share != NULL) // without TLS in libcurl it cannot, and need not
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return share;
}
