/* Which proxy libcurl goes through: the variables are those that it reads, in its order. */
#include "net/proxy.h"

#include <stdlib.h>  // getenv()
#include <strings.h> // strncasecmp()

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

const char *proxy_variable(const char *url) {
    // A request's header "Proxy" would be HTTP_PROXY to a CGI program: libcurl does not read that.
    static const char *const http[] = {"http_proxy", "all_proxy", "ALL_PROXY"};
    static const char *const https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
    bool is_https = strncasecmp(url, "https:", 6) == 0;
    const char *const *names = is_https ? https : http;
    size_t count = is_https ? sizeof https / sizeof *https : sizeof http / sizeof *http;
    for (size_t i = 0; i < count; i++)
        if (variable(names[i]) != NULL)
            return names[i];
    return NULL;
}

const char *proxy_for(const char *given, const char *url) {
    if (given != NULL)
        return *given != '\0' ? given : NULL;
    const char *name = proxy_variable(url);
    return name != NULL ? variable(name) : NULL;
}

bool proxy_has_exceptions(void) {
    return variable("no_proxy") != NULL || variable("NO_PROXY") != NULL;
}
