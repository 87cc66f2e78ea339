/* What it means that TLS failed: a handshake, a certificate, or a file of certificates. */
#ifndef GAECHANNEL_NET_TLS_FAILURE_H
#define GAECHANNEL_NET_TLS_FAILURE_H

#include "net/internal.h"

/* Whether a certificate was looked at and not believed, or authorities cannot be read: with all of them it
 * may be believed. */
bool tls_failure_is_of_certificate(const transfer *self, CURLcode code);

/* libcurl's code, or what it is where that depends on the TLS library. */
CURLcode tls_failure_code(const transfer *self, CURLcode code);

/* Append what happened, for a person. False, and nothing appended, where libcurl's words say it. */
bool tls_failure_words(const transfer *self, CURLcode code, strbuf *words);

/* Append what may be done about it, in brackets, if anything is known. */
void tls_failure_add_advice(const transfer *self, CURLcode code, strbuf *words);

#endif
