/* A request carries a token, cookies and headers that another host must not see. So a redirect is followed
 * only to the same host and port, or from there to the same host's https. */
#include "net/redirects.h"

#include <stddef.h>  // NULL
#include <strings.h> // strcasecmp()

#include <curl/curl.h> // CURLU

static char *url_part(CURLU *url, CURLUPart part) {
    char *text = NULL;
    unsigned flags = part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;
    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part) {
    char *one = url_part(a, part);
    char *other = url_part(b, part);
    bool same = one != NULL && other != NULL && strcasecmp(one, other) == 0;
    curl_free(one);
    curl_free(other);
    return same;
}

static bool scheme_is(CURLU *url, const char *scheme) {
    char *text = url_part(url, CURLUPART_SCHEME);
    bool is = text != NULL && strcasecmp(text, scheme) == 0;
    curl_free(text);
    return is;
}

// The URL's scheme, host and port: who asked to be led there may know it, and its path may hold secrets.
static void add_host(CURLU *url, strbuf *words) {
    char *scheme = url_part(url, CURLUPART_SCHEME);
    char *host = url_part(url, CURLUPART_HOST);
    char *port = NULL;
    if (scheme != NULL && host != NULL) {
        strbuf_format(words, ": %s://%s", scheme, host);
        if (curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK)
            strbuf_format(words, ":%s", port);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
}

bool redirects_refuse(const char *from, const char *to, strbuf *words) {
    const char *refused = "the server redirects to a URL that cannot be read";
    bool is_read = false;
    CURLU *source = curl_url();
    CURLU *target = curl_url();
    if (source == NULL || target == NULL || curl_url_set(source, CURLUPART_URL, from, 0) != CURLUE_OK ||
        curl_url_set(target, CURLUPART_URL, to, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        goto done;
    is_read = true;
    refused = "the server redirects to something that is not http or https";
    if (!scheme_is(target, "http") && !scheme_is(target, "https"))
        goto done;
    refused = "the server redirects from https to http";
    if (scheme_is(source, "https") && !scheme_is(target, "https"))
        goto done;
    refused = "the server redirects to another host, which must not see this channel's secrets";
    bool upgrade = scheme_is(source, "http") && scheme_is(target, "https");
    if (!same_part(source, target, CURLUPART_HOST) ||
        (!upgrade && !same_part(source, target, CURLUPART_PORT)))
        goto done;
    refused = NULL;
done:
    if (refused != NULL)
        strbuf_text(words, refused);
    if (refused != NULL && is_read)
        add_host(target, words);
    curl_url_cleanup(source);
    curl_url_cleanup(target);
    return refused != NULL;
}
