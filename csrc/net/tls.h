/* What TLS needs to know: whom to trust, and who we are. */
#ifndef GAECHANNEL_NET_TLS_H
#define GAECHANNEL_NET_TLS_H

#include <stdbool.h>

#include <curl/curl.h> // CURL, CURLSH

typedef struct tls_options {
    bool verify;
    // The directory alone was not enough for some certificate: see tls_trusts_directory().
    bool needs_file;
    // A file of CA certificates, and a directory of them: NULL for libcurl's own, "" for none, where that
    // would stand beside the other.
    char *ca_file;
    char *ca_path;
    // Our own, for the server. NULL: none.
    char *cert;
    char *key;
} tls_options;

/* Whose numbers a TLS library has for what is wrong with a certificate. Those of OpenSSL's kind also look for
 * an authority when it is needed. */
typedef enum tls_numbers_of {
    TLS_NUMBERS_UNKNOWN,
    TLS_NUMBERS_OF_OPENSSL,
    TLS_NUMBERS_OF_GNUTLS,
} tls_numbers_of;

tls_numbers_of tls_numbers(void);

/* A place to keep, of a file or a directory of CA certificates: NULL where it is libcurl's own anyway, which
 * ten thousand channels need not keep. */
const char *tls_file_to_keep(const char *given);
const char *tls_path_to_keep(const char *given);

/* Where CA certificates are looked for; NULL: in no file, or in no directory. */
const char *tls_file(const tls_options *options);
const char *tls_path(const tls_options *options);

/* A new handle knows none of it, until it needs to: libcurl copies the places of certificates for every
 * connection, be it without TLS. */
void tls_forget(CURL *easy);
/* A handle is about to speak TLS to a server; to a proxy. False when memory ran out. */
bool tls_to_server(CURL *easy, const tls_options *options);
bool tls_to_proxy(CURL *easy, const tls_options *options);

/* Whether a handle that is told now will trust the directory of CA certificates alone, though there is a file
 * of them, too: OpenSSL reads of a directory what a server's certificate needs, and of a file all, so that
 * each connection would keep a MB and take 20 ms for it. What fails so is to be tried again with both. */
bool tls_trusts_directory(const tls_options *options);

/* A share, of TLS sessions where libcurl would have a cache of its own for each handle. NULL when memory ran
 * out. */
CURLSH *tls_new_share(void);

#endif
