/* What is known of the libcurl that runs here, which may be newer than the one that this was built with. */
#ifndef GAECHANNEL_NET_LIBCURL_H
#define GAECHANNEL_NET_LIBCURL_H

#include <curl/curl.h> // curl_version_info_data

/* Asked for once: libcurl writes its versions anew whenever it is asked, which takes microseconds. */
const curl_version_info_data *libcurl_info(void);

#endif
