/* What it means that TLS failed: a handshake, a certificate, or a file of certificates.
 *
 * By libcurl's codes, by the TLS library's numbers for what is wrong with a certificate, by its words, which
 * each library and version has others of, and by a look at the files. */
#include "net/tls_failure.h"

#include <string.h>
#include <strings.h> // strncasecmp()

#include "net/authorities.h"
#include "net/aws_lc.h"
#include "net/pem.h"
#include "net/proxy.h"

static const char *said(const transfer *self) {
    return self->error != NULL ? self->error : "";
}

/* ---- Certificates that are not believed ---- */

// What the TLS library says of a certificate, and whose it is.
typedef struct judged {
    long result;
    const char *owner;
} judged;

// 0 or 1 where none was judged; as where it is another host's.
static judged certificate_of(const transfer *self) {
    judged servers = {0, "the server"}, proxys = {0, "the proxy"};
    curl_easy_getinfo(self->easy, CURLINFO_SSL_VERIFYRESULT, &servers.result);
    curl_easy_getinfo(self->easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxys.result);
    return servers.result > 1 ? servers : proxys;
}

bool tls_failure_is_of_certificate(const transfer *self, CURLcode code) {
    return code == CURLE_SSL_CACERT_BADFILE ||
           (code == CURLE_PEER_FAILED_VERIFICATION && certificate_of(self).result > 1);
}

// Whether other authorities could speak for the certificate, and not: it has expired, it is weak.
static bool lacks_authority(judged found) {
    switch (tls_numbers()) {
    case TLS_NUMBERS_OF_OPENSSL:
        return found.result == 2 || (found.result >= 18 && found.result <= 21);
    case TLS_NUMBERS_OF_GNUTLS: // bits: the signer is not found, or no authority
        return (found.result & (1 << 6 | 1 << 7)) != 0;
    default:
        return found.result > 1;
    }
}

static bool is_of_authorities(const transfer *self, CURLcode code) {
    return code == CURLE_SSL_CACERT_BADFILE ||
           (code == CURLE_PEER_FAILED_VERIFICATION && lacks_authority(certificate_of(self)));
}

static bool knows_no_authorities(const net_channel *channel) {
    return channel->tls.ca_file == NULL && channel->tls.ca_path == NULL && !net_finds_authorities();
}

#define TOO_WEAK_A_KEY "too weak a key: of RSA, one must have 2048 bits"
#define TOO_WEAK_A_SIGNATURE "too weak a signature: by SHA-1 or MD5"
#define SIGNED_BY "'s certificate is signed by one that has "

// OpenSSL's words are about "EE" and "CA" certificates, and AWS-LC has none.
static const char *weakness(long result) {
    if (tls_numbers() != TLS_NUMBERS_OF_OPENSSL)
        return NULL;
    switch (result) {
    case 66: // X509_V_ERR_EE_KEY_TOO_SMALL
    case AWS_LC_WEAK_KEY:
        return "'s certificate has " TOO_WEAK_A_KEY;
    case 67: // X509_V_ERR_CA_KEY_TOO_SMALL
    case AWS_LC_WEAK_KEY_ABOVE:
        return SIGNED_BY TOO_WEAK_A_KEY;
    case 68: // X509_V_ERR_CA_MD_TOO_WEAK, which OpenSSL says of the server's, too
        return "'s certificate, or one that it is signed by, has " TOO_WEAK_A_SIGNATURE;
    case AWS_LC_WEAK_SIGNATURE:
        return "'s certificate has " TOO_WEAK_A_SIGNATURE;
    case AWS_LC_WEAK_SIGNATURE_ABOVE:
        return SIGNED_BY TOO_WEAK_A_SIGNATURE;
    default:
        return NULL;
    }
}

// What some versions of libcurl say of any library that has come of OpenSSL, where others say "problem".
#define VERIFY_RESULT "SSL certificate OpenSSL verify result: "

static bool certificates_words(const transfer *self, strbuf *words) {
    judged found = certificate_of(self);
    if (knows_no_authorities(self->channel)) {
        strbuf_text(words,
                    "no CA certificates were found: install ca-certificates or certifi, or name them by "
                    "verify=…");
    } else if (weakness(found.result) != NULL) {
        strbuf_text(words, found.owner);
        strbuf_text(words, weakness(found.result));
    } else if (strncmp(said(self), VERIFY_RESULT, strlen(VERIFY_RESULT)) == 0) {
        const char *reason = said(self) + strlen(VERIFY_RESULT);
        const char *number = strrchr(reason, '(');
        size_t length = number != NULL && number > reason ? (size_t)(number - 1 - reason) : strlen(reason);
        strbuf_text(words, "SSL certificate problem: ");
        strbuf_append(words, reason, length);
    } else {
        return false;
    }
    return true;
}

/* ---- Files that cannot be used ---- */

static bool is_of_our_certificate(const transfer *self, CURLcode code) {
    // AWS-LC has libcurl (8.22) take a key that cannot be used for a function's argument.
    return code == CURLE_SSL_CERTPROBLEM ||
           (code == CURLE_BAD_FUNCTION_ARGUMENT && self->channel->tls.cert != NULL &&
            strstr(said(self), "private key") != NULL);
}

CURLcode tls_failure_code(const transfer *self, CURLcode code) {
    return is_of_our_certificate(self, code) ? CURLE_SSL_CERTPROBLEM : code;
}

static bool tell_file(const char *option, const char *path, pem_part wanted, strbuf *words) {
    const char *fault = pem_fault(path, wanted);
    if (fault == NULL)
        return false;
    strbuf_text(words, option);
    strbuf_text(words, path);
    strbuf_text(words, " ");
    strbuf_text(words, fault);
    return true;
}

static bool our_certificates_words(const transfer *self, strbuf *words) {
    const char *cert = self->channel->tls.cert, *key = self->channel->tls.key;
    if (cert == NULL || key == NULL)
        return false;
    if (tell_file("cert: ", cert, PEM_CERTIFICATE, words) || tell_file("cert: ", key, PEM_KEY, words))
        return true;
    if (strstr(said(self), "private key") == NULL)
        return false;
    strbuf_text(words, "cert: the key in ");
    strbuf_text(words, key);
    strbuf_text(words, " does not fit the certificate in ");
    strbuf_text(words, cert);
    strbuf_text(words, ", or is damaged");
    return true;
}

static bool authorities_words(const transfer *self, strbuf *words) {
    const char *file = tls_file(&self->channel->tls);
    if (file == NULL)
        return false;
    if (tell_file("the authorities' file ", file, PEM_CERTIFICATE, words))
        return true;
    strbuf_text(words, "a certificate in the authorities' file is damaged: ");
    strbuf_text(words, file);
    return true;
}

/* ---- Handshakes that are broken off ---- */

// What TLS libraries say where the other end has closed the connection, and they have no error of their own:
// OpenSSL by libcurl 7.88 and by newer ones, OpenSSL 3 itself, AWS-LC, and GnuTLS; and what the system says
// where it was closed before all of the handshake was read.
static const char *const endings[] = {"SSL_ERROR_SYSCALL", "error:00000000:", "unexpected eof while reading",
                                      "was non-properly terminated", "onnection reset by peer"};

static bool is_ended(const transfer *self, CURLcode code) {
    for (size_t i = 0; code == CURLE_SSL_CONNECT_ERROR && i < sizeof endings / sizeof *endings; i++)
        if (strstr(said(self), endings[i]) != NULL)
            return true;
    return false;
}

static const char *other_end(const transfer *self) {
    char *url = NULL;
    long tunnel_status = 0;
    curl_easy_getinfo(self->easy, CURLINFO_EFFECTIVE_URL, &url);
    curl_easy_getinfo(self->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel_status);
    const char *proxy = proxy_for(self->channel->proxy, url != NULL ? url : "");
    bool is_proxy = proxy != NULL && strncasecmp(proxy, "https:", 6) == 0 && tunnel_status == 0;
    return is_proxy ? "the proxy" : "the server";
}

// What a server, or a proxy, says when it breaks off, or in place of TLS, as the libraries write it.
static const struct {
    const char *openssl, *aws_lc, *meaning;
} alerts[] = {
    {"alert certificate required", "ALERT_CERTIFICATE_REQUIRED",
     " (the server wants a client's certificate: name it by cert=)"},
    {"alert unknown ca", "ALERT_UNKNOWN_CA",
     " (the server does not know the authority of the certificate in cert=)"},
    {"alert handshake failure", "ALERT_HANDSHAKE_FAILURE",
     " (the server may want a client's certificate, by cert=, or a cipher that is not here)"},
    {"alert certificate expired", "ALERT_CERTIFICATE_EXPIRED", " (of the certificate in cert=)"},
    {"wrong version number", "WRONG_VERSION_NUMBER",
     " (what answers there speaks no TLS: is it a port of http://?)"},
};

static void add_alerts_meaning(const transfer *self, strbuf *words) {
    for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
        if (strstr(said(self), alerts[i].openssl) != NULL || strstr(said(self), alerts[i].aws_lc) != NULL)
            strbuf_text(words, alerts[i].meaning);
}

/* ---- All of it ---- */

bool tls_failure_words(const transfer *self, CURLcode code, strbuf *words) {
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        return certificates_words(self, words);
    if (code == CURLE_SSL_CACERT_BADFILE)
        return authorities_words(self, words);
    if (is_of_our_certificate(self, code))
        return our_certificates_words(self, words);
    if (!is_ended(self, code))
        return false;
    strbuf_text(words, other_end(self));
    strbuf_text(words, " closed the connection during the TLS handshake");
    return true;
}

void tls_failure_add_advice(const transfer *self, CURLcode code, strbuf *words) {
    const tls_options *options = &self->channel->tls;
    add_alerts_meaning(self, words);
    if (!is_of_authorities(self, code))
        return;
    if (code == CURLE_PEER_FAILED_VERIFICATION && tls_file(options) == NULL && tls_path(options) != NULL)
        net_tell_directory(tls_path(options), words);
    // What the environment says may be old, and the user need not know of it.
    net_tell_authorities_of_environment(tls_file(options), tls_path(options), words);
}
