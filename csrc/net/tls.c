/* What libcurl's handles are told of TLS. A proxy that is spoken to by TLS is trusted as servers are. */
#include "net/tls.h"

#include <stddef.h> // NULL
#include <string.h> // strncmp()

#include "net/aws_lc.h"
#include "net/libcurl.h"
#include "net/openssl.h"

// Where libcurl's own certificates are, which a handle knows when it is made; on macOS they are left alone:
// there, once it is told of any places, it does not ask the system.
static const char *own_file(void) {
#ifdef __APPLE__
    return NULL;
#else
    return libcurl_info()->cainfo;
#endif
}

static const char *own_path(void) {
#ifdef __APPLE__
    return NULL;
#else
    return libcurl_info()->capath;
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

static const char *place_of(const char *given, const char *own) {
    const char *place = given != NULL ? given : own;
    return place != NULL && *place != '\0' ? place : NULL;
}

const char *tls_file(const tls_options *options) {
    return place_of(options->ca_file, own_file());
}

const char *tls_path(const tls_options *options) {
    return place_of(options->ca_path, own_path());
}

static const char *unless_own(const char *given, const char *own) {
    return given != NULL && own != NULL && strcmp(given, own) == 0 ? NULL : given;
}

const char *tls_file_to_keep(const char *given) {
    return unless_own(given, own_file());
}

const char *tls_path_to_keep(const char *given) {
    return unless_own(given, own_path());
}

tls_numbers_of tls_numbers(void) {
    static const struct {
        const char *name;
        tls_numbers_of numbers;
    } known[] = {
        {"OpenSSL/", TLS_NUMBERS_OF_OPENSSL}, {"LibreSSL/", TLS_NUMBERS_OF_OPENSSL},
        {"quictls/", TLS_NUMBERS_OF_OPENSSL}, {"AWS-LC/", TLS_NUMBERS_OF_OPENSSL},
        {"GnuTLS/", TLS_NUMBERS_OF_GNUTLS},
    };
    const char *version = libcurl_info()->ssl_version;
    for (size_t i = 0; version != NULL && i < sizeof known / sizeof *known; i++)
        if (strncmp(version, known[i].name, strlen(known[i].name)) == 0)
            return known[i].numbers;
    return TLS_NUMBERS_UNKNOWN;
}

bool tls_trusts_directory(const tls_options *options) {
    return options->verify && !options->needs_file && tls_file(options) != NULL &&
           tls_path(options) != NULL && tls_numbers() == TLS_NUMBERS_OF_OPENSSL;
}

static bool set_authorities(CURL *easy, const tls_options *options, CURLoption file, CURLoption path) {
    const char *at_file = tls_trusts_directory(options) ? NULL : tls_file(options);
    const char *at_path = tls_path(options);
    // A handle that has been told of neither has forgotten both, or asks the system.
    return (at_file == NULL || is_set(easy, file, at_file)) &&
           (at_path == NULL || is_set(easy, path, at_path));
}

bool tls_to_server(CURL *easy, const tls_options *options) {
    openssl_keep_less(easy);
    aws_lc_be_as_strict(easy);
    if (!options->verify) {
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    return set_authorities(easy, options, CURLOPT_CAINFO, CURLOPT_CAPATH) &&
           is_set(easy, CURLOPT_SSLCERT, options->cert) && is_set(easy, CURLOPT_SSLKEY, options->key) &&
           // Without a password TLS libraries ask the terminal for one, and wait.
           (options->cert == NULL || is_set(easy, CURLOPT_KEYPASSWD, ""));
}

bool tls_to_proxy(CURL *easy, const tls_options *options) {
    aws_lc_be_as_strict(easy);
    if (!options->verify) {
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(easy, CURLOPT_PROXY_SSL_VERIFYHOST, 0L);
    }
    return set_authorities(easy, options, CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAPATH);
}

// From 8.12 on libcurl has one for each multi handle; another takes 4 KiB.
static bool has_sessions(void) {
    return libcurl_info()->version_num >= 0x080c00;
}

CURLSH *tls_new_share(void) {
    CURLSH *share = curl_share_init();
    if (share != NULL && !has_sessions()) // without TLS in libcurl it cannot, and need not
        curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    return share;
}
