/* Who says where the certificates of authorities are: libcurl, or whoever uses it. */
#include "net/authorities.h"

#include <dirent.h>
#include <stdlib.h> // getenv()
#include <string.h> // strcmp()

#include "net/libcurl.h"

// What libcurl names among its features where it asks the system.
static bool asks_system(const char *feature) {
    return strcmp(feature, "AppleSecTrust") == 0 || strcmp(feature, "NativeCA") == 0;
}

bool net_finds_authorities(void) {
    const curl_version_info_data *built_in = libcurl_info();
    if (built_in->cainfo != NULL || built_in->capath != NULL)
        return true;
    for (const char *const *feature = built_in->feature_names; *feature != NULL; feature++)
        if (asks_system(*feature))
            return true;
    return false;
}

static bool says(const char *variable, const char *place) {
    const char *value = getenv(variable);
    return value != NULL && place != NULL && *place != '\0' && strcmp(value, place) == 0;
}

void net_tell_authorities_of_environment(const char *file, const char *directory, strbuf *words) {
    const struct {
        const char *variable, *place;
    } known[] = {{"SSL_CERT_FILE", file}, {"CURL_CA_BUNDLE", file}, {"SSL_CERT_DIR", directory}};
    bool told = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!says(known[i].variable, known[i].place))
            continue;
        strbuf_text(words, told ? ", " : " (the environment's authorities were tried: ");
        strbuf_text(words, known[i].variable);
        strbuf_text(words, "=");
        strbuf_text(words, known[i].place);
        told = true;
    }
    if (told)
        strbuf_text(words, ")");
    // Behind a company's proxy it is often all that was set, for pip's sake.
    const char *of_requests = getenv("REQUESTS_CA_BUNDLE");
    if (told || of_requests == NULL || *of_requests == '\0' || says("REQUESTS_CA_BUNDLE", file))
        return;
    strbuf_text(words, " (REQUESTS_CA_BUNDLE=");
    strbuf_text(words, of_requests);
    strbuf_text(words, " is not read here: verify= and SSL_CERT_FILE are)");
}

// Such as 2e5ac55d.0.
static bool is_hashed(const char *name) {
    return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' && name[9] <= '9';
}

void net_tell_directory(const char *directory, strbuf *words) {
    DIR *opened = opendir(directory);
    bool found = false;
    const struct dirent *entry;
    if (opened == NULL)
        return;
    while (!found && (entry = readdir(opened)) != NULL)
        found = is_hashed(entry->d_name);
    closedir(opened);
    if (found)
        return;
    strbuf_text(words, " (in ");
    strbuf_text(words, directory);
    strbuf_text(words, " there are no names as `openssl rehash` makes them)");
}
