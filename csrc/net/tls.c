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

static void set_place(CURL *easy, CURLoption option, const char *given, const char *own) {
    const char *place = given != NULL ? given : own;
    if (place != NULL)
        curl_easy_setopt(easy, option, *place != '\0' ? place : NULL);
}

void tls_to_server(CURL *easy, const tls_options *options) {
    if (!options->verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    set_place(easy, CURLOPT_CAINFO, options->ca_file, own_file());
    set_place(easy, CURLOPT_CAPATH, options->ca_path, own_path());
    if (options->cert != NULL)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, options->cert);
    if (options->key != NULL)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, options->key);
}

void tls_to_proxy(CURL *easy, const tls_options *options) {
    if (!options->verify) {
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    }
    set_place(easy, CURLOPT_PROXY_CAINFO, options->ca_file, own_file());
    set_place(easy, CURLOPT_PROXY_CAPATH, options->ca_path, own_path());
}
