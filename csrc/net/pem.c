/* What is wrong with a file that was to hold certificates or a key, as far as one can see.
 *
 * TLS libraries say of most that there is "no start line". */
#include "net/pem.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct contents {
    bool has_certificate;
    bool has_key;
    bool wants_password;
} contents;

static void look_at_line(const char *line, contents *found) {
    bool begins = strncmp(line, "-----BEGIN ", 11) == 0;
    if (begins && strstr(line, "PRIVATE KEY-----") != NULL) {
        found->has_key = true;
        found->wants_password |= strstr(line, " ENCRYPTED ") != NULL;
    }
    if (begins && strstr(line, " CERTIFICATE-----") != NULL)
        found->has_certificate = true;
    // In the form of old, where the first line does not tell.
    if (strncmp(line, "Proc-Type:", 10) == 0 && strstr(line, "ENCRYPTED") != NULL)
        found->wants_password = true;
}

static contents look_at(FILE *file) {
    contents found = {0};
    char line[256]; // a longer one comes in pieces
    while (fgets(line, sizeof line, file) != NULL)
        look_at_line(line, &found);
    return found;
}

// What a file is that holds no PEM. In DER an outer sequence comes first, with a length of several bytes.
static const char *form_of(const unsigned char *head, size_t length) {
    static const unsigned char pkcs12[] = {0x02, 0x01, 0x03}; // its version
    if (length == 0)
        return "is empty";
    if (length < 2 || head[0] != 0x30 || (head[1] & 0xF0) != 0x80)
        return NULL;
    size_t at = 2 + (head[1] & 0x0Fu);
    if (at + sizeof pkcs12 <= length && memcmp(head + at, pkcs12, sizeof pkcs12) == 0)
        return "is in PKCS #12, and not in PEM: `openssl pkcs12 -nodes` makes PEM of it";
    return "is in DER, and not in PEM: `openssl x509 -inform der`, or for a key `openssl pkey`, makes PEM "
           "of it";
}

static const char *fault_of(FILE *file, pem_part wanted) {
    unsigned char head[16];
    const char *form = form_of(head, fread(head, 1, sizeof head, file));
    if (form != NULL)
        return form;
    rewind(file);
    contents found = look_at(file);
    if (wanted == PEM_CERTIFICATE && !found.has_certificate)
        return found.has_key ? "holds a key, and no certificate" : "holds no certificate in PEM";
    if (wanted == PEM_KEY && !found.has_key)
        return "holds no private key in PEM";
    if (wanted == PEM_KEY && found.wants_password)
        return "holds a key that wants a password, which cannot be given: `openssl pkey` writes one that "
               "wants none";
    return NULL;
}

static const char *unreadable(void) {
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return "is not there";
    case EACCES:
        return "may not be read by this user";
    default:
        return "cannot be read";
    }
}

const char *pem_fault(const char *path, pem_part wanted) {
    struct stat status;
    if (stat(path, &status) != 0)
        return unreadable();
    if (S_ISDIR(status.st_mode))
        return "is a directory";
    if (!S_ISREG(status.st_mode))
        return NULL;
    FILE *file = fopen(path, "rbe"); // no program that another thread starts meanwhile is to have it
    if (file == NULL)
        return unreadable();
    const char *fault = fault_of(file, wanted);
    fclose(file);
    return fault;
}
