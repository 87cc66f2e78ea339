/* Which servers a wheel's TLS talks to. */
#ifndef GAECHANNEL_NET_AWS_LC_H
#define GAECHANNEL_NET_AWS_LC_H

#include <curl/curl.h> // CURL

/* A handle is about to speak TLS: AWS-LC, which wheels bring along, is to know the curves and signatures that
 * servers have beside those of the public ones, and to refuse certificates that OpenSSL refuses since 3.0 for
 * being weak. Without it in this build, nothing. */
void aws_lc_be_as_strict(CURL *easy);

/* What libcurl has then for the result of looking at a certificate, since AWS-LC's numbers are not OpenSSL's:
 * what is weak is its own, or that of a certificate above it. */
#define AWS_LC_WEAK_KEY 1001
#define AWS_LC_WEAK_KEY_ABOVE 1002
#define AWS_LC_WEAK_SIGNATURE 1003
#define AWS_LC_WEAK_SIGNATURE_ABOVE 1004

#endif
