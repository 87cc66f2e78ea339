/* What OpenSSL is told of a connection's memory, where libcurl speaks TLS by OpenSSL. */
#ifndef GAECHANNEL_NET_OPENSSL_H
#define GAECHANNEL_NET_OPENSSL_H

#include <curl/curl.h> // CURL

/* A handle is about to speak TLS: OpenSSL is to keep no buffers for connections that are idle. libcurl 7.88
 * says so by itself; 8.14 and 8.22 give a connection 64 KiB to read into, and keep them. */
void openssl_keep_less(CURL *easy);

/* The request is sent, and its connection will be idle: OpenSSL 3.0 has kept what the next record would be
 * written in. Not to be called by libcurl. */
void openssl_free_buffers(CURL *easy);

#endif
