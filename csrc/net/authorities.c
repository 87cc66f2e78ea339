/* Who says where the certificates of authorities are: libcurl, or whoever uses it. */
#include "net/authorities.h"

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
