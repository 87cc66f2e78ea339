/* What is known of the libcurl that runs here. */
#include "net/libcurl.h"

#include <stdatomic.h>
#include <stddef.h> // NULL

const curl_version_info_data *libcurl_info(void) {
    // libcurl's own, and the same for as long as the process lives.
    static const curl_version_info_data *_Atomic known;
    const curl_version_info_data *found = atomic_load_explicit(&known, memory_order_acquire);
    if (found == NULL) {
        found = curl_version_info(CURLVERSION_NOW);
        atomic_store_explicit(&known, found, memory_order_release);
    }
    return found;
}
