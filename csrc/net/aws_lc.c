/* Which servers a wheel's TLS talks to.
 *
 * AWS-LC is made for servers that the public trusts. Companies and homes have others, too, and their
 * authorities sign what a public one may not. */
#include "net/aws_lc.h"

#ifdef CURL_STATICLIB // a wheel: AWS-LC is linked in with libcurl
#include <stdbool.h>

#include <openssl/asn1.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/obj.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

// What it offers by itself, and Ed25519 as well as P-521; without SHA-1.
#define SIGNATURES                                                                                           \
    "ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256:rsa_pkcs1_sha256:"                                           \
    "ecdsa_secp384r1_sha384:rsa_pss_rsae_sha384:rsa_pkcs1_sha384:"                                           \
    "ecdsa_secp521r1_sha512:rsa_pss_rsae_sha512:rsa_pkcs1_sha512:"                                           \
    "ed25519:mldsa44:mldsa65:mldsa87"
#define GROUPS "X25519MLKEM768:SecP256r1MLKEM768:SecP384r1MLKEM1024:X25519:P-256:P-384:P-521"

// Bits of a key of RSA's: 112 bits of security, as OpenSSL's level 2 wants.
#define LEAST_RSA 2048

static bool has_weak_key(X509 *certificate) {
    EVP_PKEY *key = X509_get0_pubkey(certificate);
    int kind = key != NULL ? EVP_PKEY_id(key) : EVP_PKEY_NONE;
    return (kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS) && EVP_PKEY_bits(key) < LEAST_RSA;
}

// The digest that a signature of RSA-PSS says it goes by, in its parameters: by SHA-1 if it says nothing.
static int pss_digest(const X509_ALGOR *algorithm) {
    int type = V_ASN1_UNDEF, digest = NID_sha1;
    const void *value = NULL;
    X509_ALGOR_get0(NULL, &type, &value, algorithm);
    if (type != V_ASN1_SEQUENCE)
        return NID_undef; // the signature itself is refused
    const ASN1_STRING *bytes = value;
    const uint8_t *at = ASN1_STRING_get0_data(bytes);
    RSA_PSS_PARAMS *known = d2i_RSA_PSS_PARAMS(NULL, &at, ASN1_STRING_length(bytes));
    if (known != NULL && known->hashAlgorithm != NULL)
        digest = OBJ_obj2nid(known->hashAlgorithm->algorithm);
    RSA_PSS_PARAMS_free(known);
    return digest;
}

static bool has_weak_signature(X509 *certificate) {
    int signature = X509_get_signature_nid(certificate), digest = NID_undef;
    if (signature == NID_rsassaPss)
        digest = pss_digest(X509_get0_tbs_sigalg(certificate));
    else
        OBJ_find_sigid_algs(signature, &digest, NULL);
    return digest == NID_sha1 || digest == NID_md5 || digest == NID_md4;
}

static int refuse(X509_STORE_CTX *chain, int at_bottom, int above) {
    X509_STORE_CTX_set_error(chain, X509_STORE_CTX_get_error_depth(chain) == 0 ? at_bottom : above);
    return 0;
}

// Called for each certificate of a chain, the authority's own first, with what was found until then.
static int on_certificate(int is_valid, X509_STORE_CTX *chain) {
    X509 *certificate = X509_STORE_CTX_get_current_cert(chain);
    // A signature by MD5 it cannot even look at, and says so in other words.
    bool is_unknown = !is_valid && X509_STORE_CTX_get_error(chain) == X509_V_ERR_CERT_SIGNATURE_FAILURE;
    if (certificate == NULL || (!is_valid && !is_unknown))
        return is_valid;
    if (is_valid && has_weak_key(certificate))
        return refuse(chain, AWS_LC_WEAK_KEY, AWS_LC_WEAK_KEY_ABOVE);
    // An authority is known by itself: what it has signed itself with says nothing.
    size_t depth = (size_t)X509_STORE_CTX_get_error_depth(chain);
    bool is_known = depth + 1 == sk_X509_num(X509_STORE_CTX_get0_chain(chain));
    if (!is_known && has_weak_signature(certificate))
        return refuse(chain, AWS_LC_WEAK_SIGNATURE, AWS_LC_WEAK_SIGNATURE_ABOVE);
    return is_valid;
}

static CURLcode on_context(CURL *easy, void *context, void *unused) {
    (void)easy, (void)unused;
    if (!SSL_CTX_set1_sigalgs_list(context, SIGNATURES) || !SSL_CTX_set1_curves_list(context, GROUPS))
        return CURLE_OUT_OF_MEMORY;
    SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), on_certificate);
    return CURLE_OK;
}

void aws_lc_be_as_strict(CURL *easy) {
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);
}
#else
void aws_lc_be_as_strict(CURL *easy) {
    (void)easy;
}
#endif
