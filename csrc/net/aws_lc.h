/* Which servers a wheel's TLS talks to. */
#ifndef GAECHANNEL_NET_AWS_LC_H
#define GAECHANNEL_NET_AWS_LC_H

#include <curl/curl.h> // CURL

/* A handle is about to speak TLS: AWS-LC, which wheels bring along, is to know the curves and signatures that
 * servers have beside those of the public ones, and to refuse certificates that OpenSSL refuses since 3.0 for
 * being weak. Without it in this build, nothing. */
void aws_lc_be_as_strict(CURL *easy);

/* What is wrong with a certificate by that, if libcurl's result of looking at it says so; else NULL. */
const char *aws_lc_words(long verify_result);

#endif
