/* Texts without secrets, and which secrets the session knows. */
#include "session/redact.h"

#include <ctype.h>
#include <limits.h> // UCHAR_MAX
#include <string.h>
#include <strings.h> // strncasecmp()

// Shorter texts are too likely to stand in a message by chance.
#define MIN_SECRET 4
// Of cookies' values together, in bytes, and how many they are: each is looked for at each byte of a text.
// libcurl keeps no line longer than 5,000, and takes fifty of a response.
#define MAX_COOKIE_BYTES 8192
#define MAX_COOKIES 64

/* ---- What is a secret ---- */

// Query parameters that give nothing away. All others are somebody's: tokens, ids, names.
static bool is_harmless(const char *key, size_t length) {
    static const char *const harmless[] = {"VER",  "RID",  "CVER",    "AID",   "CI",
                                           "TYPE", "MODE", "t",       "zx",    "prop",
                                           "ofs",  "OAID", "command", "count", "X-HTTP-Session-Id"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strlen(harmless[i]) == length && memcmp(harmless[i], key, length) == 0)
            return true;
    return false;
}

// Words at whose end, or which alone, a name is that of a credential; their plurals, too.
static bool is_credential_word(const char *word, size_t length) {
    static const char *const ends[] = {
        "token",      "secret",  "password",      "passwd",         "passphrase", "apikey",
        "accesskey",  "authkey", "secretkey",     "privatekey",     "sessionkey", "signature",
        "credential", "auth",    "authorization", "authentication", "session",    "sessionid",
        "sessid",     "sid",     "cookie"};
    static const char *const wholes[] = {"key", "sig",  "pass", "userpass", "pwd",
                                         "jwt", "hmac", "csrf", "xsrf"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (length >= end && strncasecmp(word + length - end, ends[i], end) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof wholes / sizeof *wholes; i++)
        if (length == strlen(wholes[i]) && strncasecmp(word, wholes[i], length) == 0)
            return true;
    return false;
}

// Query parameters that give much away, wherever a URL leads: a link that a server shows is to be followed,
// but not at the price of these. A name's words are `access_token`'s, `accessToken`'s and `Access-Token`'s.
static bool is_credential(const char *key, size_t length) {
    size_t begin = 0;
    for (size_t at = 0; at <= length; at++) {
        bool inside = at < length && isalpha((unsigned char)key[at]);
        bool hump =
            inside && at > begin && isupper((unsigned char)key[at]) && islower((unsigned char)key[at - 1]);
        if (inside && !hump)
            continue;
        const char *word = key + begin;
        size_t letters = at - begin;
        bool plural = letters > 1 && (word[letters - 1] | 0x20) == 's';
        if (is_credential_word(word, letters) || (plural && is_credential_word(word, letters - 1)))
            return true;
        begin = hump ? at : at + 1;
    }
    return false;
}

// How much of a secret stands at `at`: all of it, or, with `cut`, what the text ends with, if that is long
// enough to be a secret: it may have been cut short there. 0: nothing.
static size_t secret_part(const char *at, const char *text_end, const char *secret, size_t length, bool cut) {
    size_t left = (size_t)(text_end - at);
    size_t same = length < left ? length : left;
    if (memcmp(at, secret, same) != 0)
        return 0;
    return same == length || (cut && same >= MIN_SECRET) ? same : 0;
}

static size_t known_at(const strbuf *known, const char *at, const char *text_end, bool cut) {
    const char *secret = strbuf_str(known);
    const char *end = secret + known->length;
    size_t longest = 0;
    for (; secret < end; secret += strlen(secret) + 1) {
        size_t length = *at == *secret ? secret_part(at, text_end, secret, strlen(secret), cut) : 0;
        if (length > longest)
            longest = length;
    }
    return longest;
}

// The length of the secret that stands at `at`; 0 when none does.
static size_t secret_at(const session *self, redaction how, const char *at, const char *text_end) {
    const strbuf *token = &self->fields[FIELD_TOKEN];
    size_t length = 0;
    if (token->length >= MIN_SECRET)
        length = secret_part(at, text_end, token->data, token->length, true);
    if (length == 0)
        length = known_at(&self->secrets, at, text_end, true);
    if (length == 0)
        length = known_at(&self->renewed, at, text_end, true);
    if (length == 0)
        length = known_at(&self->cookies, at, text_end, true);
    if (length == 0 && how != REDACT_BODY)
        length = known_at(&self->private_words, at, text_end, false);
    return length == 0 && how != REDACT_BODY ? known_at(&self->renewed_private, at, text_end, false) : length;
}

// The bytes that a secret begins with: of most others nothing more is asked.
typedef struct beginnings {
    bool found[UCHAR_MAX + 1];
} beginnings;

static void add_beginnings(const strbuf *known, beginnings *all) {
    const char *secret = strbuf_str(known);
    for (const char *end = secret + known->length; secret < end; secret += strlen(secret) + 1)
        all->found[(unsigned char)*secret] = true;
}

static beginnings secret_beginnings(const session *self) {
    const strbuf *known[] = {
        &self->fields[FIELD_TOKEN], &self->secrets,        &self->renewed, &self->cookies,
        &self->private_words,       &self->renewed_private};
    beginnings all = {0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        add_beginnings(known[i], &all);
    return all;
}

static size_t word_length(const char *at) {
    size_t length = 0;
    while (at[length] != '\0' && strchr("&# \t\r\n\"'<>", at[length]) == NULL)
        length++;
    return length;
}

// A password in a URL: what stands between the slashes and an at sign; or behind a colon where the text ends,
// which may have been cut short, and no port stands.
static size_t userinfo_length(const char *at) {
    size_t length = strcspn(at, "/?# \t\r\n\"'<>@");
    const char *colon = memchr(at, ':', length);
    size_t port = colon != NULL ? strspn(colon + 1, "0123456789") : 0;
    // A sentence may end behind the port.
    size_t end = port > 0 ? port + strspn(colon + 1 + port, ").,;") : 0;
    bool cut = at[length] == '\0' && colon != NULL && *at != '[' && end < (size_t)(at + length - colon - 1);
    return at[length] == '@' || cut ? length : 0;
}

/* ---- Texts without them ---- */

// The server's words may hold line ends and worse, made to fool who reads the log on a terminal. A body is
// not for a terminal.
static bool is_shown(char byte, redaction how) {
    return how == REDACT_BODY || ((unsigned char)byte >= ' ' && byte != 0x7F);
}

// A byte of a text, or what of a secret stands there; where the text goes on.
static const char *redact_step(const session *self, const beginnings *known, redaction how, const char *text,
                               const char *end, strbuf *out) {
    size_t secret = known->found[(unsigned char)*text] ? secret_at(self, how, text, end) : 0;
    if (secret != 0)
        strbuf_text(out, "***");
    else
        strbuf_append(out, is_shown(*text, how) ? text : " ", 1);
    return text + (secret != 0 ? secret : 1);
}

static void redact_known(const session *self, const beginnings *known, redaction how, const char *text,
                         size_t limit, strbuf *out) {
    const char *end = text + strlen(text);
    while (*text != '\0' && out->length < limit) {
        if (strncmp(text, "://", 3) == 0) {
            strbuf_text(out, "://");
            text += 3;
            size_t userinfo = userinfo_length(text);
            if (userinfo != 0)
                strbuf_text(out, "***");
            text += userinfo;
            continue;
        }
        bool leads = *text == '?' || *text == '&';
        const char *before = text;
        text = redact_step(self, known, how, text, end, out);
        if (!leads || text != before + 1)
            continue;
        // Only where there is a value to hide is it read to its end: a text of nothing but question marks
        // must not cost the square of its length.
        size_t key = strcspn(text, "=?&# \t\r\n\"'<>");
        if (text[key] != '=' || (how == REDACT_OURS ? is_harmless(text, key) : !is_credential(text, key)))
            continue;
        for (const char *key_end = text + key; text < key_end;)
            text = redact_step(self, known, how, text, end, out);
        strbuf_text(out, "=***");
        text += word_length(text);
    }
}

void redact(const session *self, redaction how, const char *text, size_t limit, strbuf *out) {
    const beginnings known = secret_beginnings(self);
    redact_known(self, &known, how, text, limit, out);
}

// What stands before and behind a NUL is redacted apart.
void redact_body(const session *self, const strbuf *body, strbuf *out) {
    const beginnings known = secret_beginnings(self);
    const char *at = strbuf_str(body);
    const char *end = at + body->length;
    while (at < end) {
        redact_known(self, &known, REDACT_BODY, at, SIZE_MAX, out);
        at += strlen(at);
        if (at < end)
            strbuf_append(out, at++, 1);
    }
}

void session_redact(const session *self, const char *text, strbuf *out) {
    redact(self, REDACT_OURS, text, SIZE_MAX, out);
}

void session_shorten_url(const session *self, exchange *ex) {
    strbuf shown = {0};
    session_redact(self, strbuf_str(&ex->url), &shown);
    if (strbuf_failed(&shown)) {
        strbuf_free(&shown);
        return; // it is only a matter of memory
    }
    strbuf_free(&ex->url);
    ex->url = shown;
    strbuf_trim(&ex->url);
}

/* ---- Those that are known ---- */

// All of them, or, when memory ran out, those that were known.
static bool remember(strbuf *known, const char *text, size_t length) {
    if (length < MIN_SECRET || memchr(text, '\0', length) != NULL)
        return true;
    strbuf grown = {0};
    strbuf_append(&grown, strbuf_str(known), known->length);
    strbuf_append(&grown, text, length);
    strbuf_append(&grown, "", 1);
    if (strbuf_failed(&grown)) {
        strbuf_free(&grown);
        return false;
    }
    strbuf_free(known);
    *known = grown;
    strbuf_trim(known); // as long as the session, mostly
    return true;
}

bool session_add_secret(session *self, const char *text, size_t length) {
    return remember(&self->secrets, text, length);
}

void session_forget_renewed(session *self) {
    strbuf_free(&self->renewed);
    strbuf_free(&self->renewed_private);
}

bool session_add_renewed(session *self, const char *text, size_t length) {
    return remember(&self->renewed, text, length);
}

bool session_add_renewed_private(session *self, const char *text, size_t length) {
    return remember(&self->renewed_private, text, length);
}

bool session_add_userinfo(session *self, const char *url) {
    const char *begin = strstr(url, "://");
    size_t length = begin != NULL ? userinfo_length(begin + 3) : 0;
    if (length == 0)
        return true;
    const char *colon = memchr(begin + 3, ':', length);
    return session_add_secret(self, begin + 3, length) &&
           (colon == NULL || session_add_secret(self, colon + 1, (size_t)(begin + 3 + length - colon - 1)));
}

bool session_add_private(session *self, const char *text, size_t length) {
    return remember(&self->private_words, text, length);
}

static bool is_known(const strbuf *known, const char *text, size_t length, size_t *count) {
    const char *one = strbuf_str(known);
    bool found = false;
    *count = 0;
    for (const char *end = one + known->length; one < end; one += strlen(one) + 1, ++*count)
        found |= strlen(one) == length && memcmp(one, text, length) == 0;
    return found;
}

static void forget_oldest(strbuf *known) {
    size_t length = strlen(known->data) + 1;
    known->length -= (uint32_t)length;
    memmove(known->data, known->data + length, known->length);
}

// A server that sets cookie after cookie must not make us remember them all.
bool session_add_cookie(session *self, const char *text, size_t length) {
    strbuf *known = &self->cookies;
    size_t count;
    if (length < MIN_SECRET || length >= MAX_COOKIE_BYTES || is_known(known, text, length, &count))
        return true;
    for (; known->length != 0 && (count >= MAX_COOKIES || known->length + length > MAX_COOKIE_BYTES); count--)
        forget_oldest(known);
    return remember(known, text, length);
}
