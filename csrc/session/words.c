/* What the session says of itself: log records and errors, without secrets. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>  // vsnprintf()
#include <stdlib.h> // realloc()
#include <string.h>
#include <strings.h> // strncasecmp()

#include "session/phase.h"

// Records kept for a caller who never takes them.
#define MAX_LOG 256
// Shorter texts are too likely to stand in a message by chance.
#define MIN_SECRET 4
// Of cookies' values together, in bytes; libcurl keeps no line longer than 5,000.
#define MAX_COOKIES 8192
// Of the server's own words.
#define MAX_WORDS 500

/* ---- Secrets ---- */

// What a text is, and so what must not be seen of it.
typedef enum redaction {
    REDACT_OURS,   // a URL of ours, or words of ours about it: also what all but harmless parameters say
    REDACT_THEIRS, // the server's words in a sentence of ours: also what the caller's parameters say
    REDACT_BODY,   // the server's body as it is: tokens, credentials and cookies
} redaction;

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
static size_t secret_part(const char *at, const char *secret, size_t length, bool cut) {
    size_t same = 0;
    while (same < length && at[same] == secret[same])
        same++;
    return same == length || (cut && at[same] == '\0' && same >= MIN_SECRET) ? same : 0;
}

static size_t known_at(const strbuf *known, const char *at, bool cut) {
    const char *secret = strbuf_str(known);
    const char *end = secret + known->length;
    size_t longest = 0;
    for (; secret < end; secret += strlen(secret) + 1) {
        size_t length = *at == *secret ? secret_part(at, secret, strlen(secret), cut) : 0;
        if (length > longest)
            longest = length;
    }
    return longest;
}

// The length of the secret that stands at `at`; 0 when none does.
static size_t secret_at(const session *self, redaction how, const char *at) {
    const strbuf *token = &self->fields[FIELD_TOKEN];
    size_t length = 0;
    if (token->length >= MIN_SECRET)
        length = secret_part(at, token->data, token->length, true);
    if (length == 0)
        length = known_at(&self->secrets, at, true);
    if (length == 0)
        length = known_at(&self->renewed, at, true);
    if (length == 0)
        length = known_at(&self->cookies, at, true);
    if (length == 0 && how != REDACT_BODY)
        length = known_at(&self->private_words, at, false);
    return length == 0 && how != REDACT_BODY ? known_at(&self->renewed_private, at, false) : length;
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

// The server's words may hold line ends and worse, made to fool who reads the log on a terminal. A body is
// not for a terminal.
static bool is_shown(char byte, redaction how) {
    return how == REDACT_BODY || ((unsigned char)byte >= ' ' && byte != 0x7F);
}

// At least as much of the text as makes `limit` bytes, so that a long one costs no more than is shown of it.
static void redact(const session *self, redaction how, const char *text, size_t limit, strbuf *out) {
    while (*text != '\0' && out->length < limit) {
        size_t secret = secret_at(self, how, text);
        if (secret != 0) {
            strbuf_text(out, "***");
            text += secret;
            continue;
        }
        if (strncmp(text, "://", 3) == 0) {
            strbuf_text(out, "://");
            text += 3;
            size_t userinfo = userinfo_length(text);
            if (userinfo != 0)
                strbuf_text(out, "***");
            text += userinfo;
            continue;
        }
        strbuf_append(out, is_shown(*text, how) ? text : " ", 1);
        if (*text++ != '?' && text[-1] != '&')
            continue;
        // Only where there is a value to hide is it read to its end: a text of nothing but question marks
        // must not cost the square of its length.
        size_t key = strcspn(text, "=?&# \t\r\n\"'<>");
        if (text[key] != '=' || (how == REDACT_OURS ? is_harmless(text, key) : !is_credential(text, key)))
            continue;
        strbuf_append(out, text, key);
        strbuf_text(out, "=***");
        text += key + word_length(text + key);
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

static void remember(strbuf *known, const char *text, size_t length) {
    if (length < MIN_SECRET || memchr(text, '\0', length) != NULL)
        return;
    strbuf_append(known, text, length);
    strbuf_append(known, "", 1);
}

void session_add_secret(session *self, const char *text, size_t length) {
    remember(&self->secrets, text, length);
    strbuf_trim(&self->secrets);
}

void session_forget_renewed(session *self) {
    strbuf_free(&self->renewed);
    strbuf_free(&self->renewed_private);
}

void session_add_renewed(session *self, const char *text, size_t length) {
    remember(&self->renewed, text, length);
}

void session_add_renewed_private(session *self, const char *text, size_t length) {
    remember(&self->renewed_private, text, length);
}

void session_add_userinfo(session *self, const char *url) {
    const char *begin = strstr(url, "://");
    size_t length = begin != NULL ? userinfo_length(begin + 3) : 0;
    if (length == 0)
        return;
    session_add_secret(self, begin + 3, length);
    const char *colon = memchr(begin + 3, ':', length);
    if (colon != NULL)
        session_add_secret(self, colon + 1, (size_t)(begin + 3 + length - colon - 1));
}

void session_add_private(session *self, const char *text, size_t length) {
    remember(&self->private_words, text, length);
    strbuf_trim(&self->private_words);
}

void session_add_cookie(session *self, const char *text, size_t length) {
    // A server that sets cookie after cookie must not make us remember them all.
    if (self->cookies.length + length > MAX_COOKIES)
        strbuf_clear(&self->cookies);
    remember(&self->cookies, text, length < MAX_COOKIES ? length : 0);
}

/* ---- The log ---- */

void session_set_log_level(session *self, int level) {
    self->log_level = level;
}

static strbuf *add_entry(session *self, int level) {
    if (level < self->log_level || self->log_count >= MAX_LOG)
        return NULL;
    if (self->log_count == self->log_capacity) {
        size_t capacity = self->log_capacity ? self->log_capacity * 2 : 4;
        log_entry *log = realloc(self->log, capacity * sizeof *log);
        if (log == NULL)
            return NULL;
        self->log = log;
        self->log_capacity = capacity;
    }
    log_entry *entry = &self->log[self->log_count++];
    *entry = (log_entry){.level = level};
    return &entry->text;
}

void session_log(session *self, int level, const char *format, ...) {
    strbuf *text = add_entry(self, level);
    if (text == NULL)
        return;
    char words[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    session_redact(self, words, text);
}

void session_log_url(session *self, int level, const char *words, const char *url) {
    strbuf *text = add_entry(self, level);
    if (text == NULL)
        return;
    strbuf_text(text, words);
    strbuf_text(text, ": ");
    session_redact(self, url, text);
}

bool session_has_reports(const session *self) {
    return self->log_count != 0 || self->states_count != 0;
}

int session_take_log(session *self, strbuf *out) {
    if (self->log_count == 0)
        return 0;
    log_entry oldest = self->log[0];
    self->log_count--;
    memmove(self->log, self->log + 1, self->log_count * sizeof *self->log);
    strbuf_free(out);
    *out = oldest.text;
    if (self->log_count == 0) {
        free(self->log);
        self->log = NULL;
        self->log_capacity = 0;
    }
    return oldest.level;
}

/* ---- Errors ---- */

void session_error_free(session_error *error) {
    strbuf_free(&error->reason);
    strbuf_free(&error->body);
    strbuf_free(&error->head);
    strbuf_free(&error->url);
    strbuf_free(&error->message);
    strbuf_free(&error->refused);
    *error = (session_error){0};
}

static void count_failure(session *self, bool mended) {
    self->failed++;
    self->is_mended = mended;
    if (mended)
        return;
    phase_set_prepared(self, false); // the next try is told anew what it opens with
    self->opening_retry = OPENING_AS_EVER;
}

void session_fail(session *self, session_error_kind kind, const char *message) {
    if (phase_has_ended(self))
        return; // the first error is the one that matters
    session_error_free(&self->error);
    self->error.kind = kind;
    session_redact(self, message, &self->error.message);
    count_failure(self, false);
    phase_end(self);
}

// The server's words, as one line: control characters are of no use to a reader. Redacted before they are cut
// short, since half a secret is not recognized as one.
static void add_words(const session *self, const char *words, strbuf *out) {
    strbuf redacted = {0};
    redact(self, REDACT_THEIRS, words, 4 * MAX_WORDS, &redacted);
    bool space = false;
    size_t length = 0;
    for (const char *at = strbuf_str(&redacted); *at != '\0' && length < MAX_WORDS; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte <= ' ' || byte == 0x7F) {
            space = length > 0;
            continue;
        }
        if (space)
            strbuf_text(out, " ");
        space = false;
        strbuf_append(out, at, 1);
        length++;
    }
    strbuf_free(&redacted);
}

// All of what the server has sent, but for secrets. What stands before and behind a NUL is redacted apart.
static void add_server_text(const session *self, const strbuf *text, strbuf *out) {
    const char *at = strbuf_str(text);
    const char *end = at + text->length;
    while (at < end) {
        redact(self, REDACT_BODY, at, SIZE_MAX, out);
        at += strlen(at);
        if (at < end)
            strbuf_append(out, at++, 1);
    }
}

void session_log_reply(session *self, int level, const char *words, const exchange *ex) {
    strbuf *text = add_entry(self, level);
    if (text == NULL)
        return;
    strbuf said = {0};
    add_words(self, strbuf_str(&ex->reply), &said);
    strbuf_text(text, words);
    strbuf_text(text, said.length != 0 ? "; the server said: " : "; the server said nothing");
    strbuf_append(text, strbuf_str(&said), said.length);
    strbuf_free(&said);
}

// What a caller is likely to have got wrong: a server that was never there, or is somewhere else on its host.
static void add_hint(const session *self, const exchange *ex, session_error_kind kind, strbuf *message) {
    bool unreachable = ex->status == 0 && (kind == ERROR_TRANSPORT || kind == ERROR_TIMEOUT);
    if (self->config.url_is_retired && unreachable)
        strbuf_text(message, "; Google ended the Channel API's service in 2017: name the address of another "
                             "server with base_url= or in the environment variable GAECHANNEL_BASE_URL");
    if (ex->status != 404 || (ex->kind != REQUEST_INIT && ex->kind != REQUEST_OPEN))
        return;
    const char *path = self->dialect->bind_path;
    if (self->dialect->has_init_page)
        strbuf_text(message, "; base_url is where the server's page /d is, such as http://host/talkgadget");
    else if (*path != '\0')
        strbuf_format(message, "; the channel's URL is what stands before %s", path);
    else
        strbuf_text(message, "; the channel's URL is the whole path, such as http://host/Listen/channel");
}

// All that is known of why the exchange has failed.
static void describe(const session *self, const exchange *ex, session_error_kind kind, int code,
                     const char *words, session_error *error) {
    session_error_free(error);
    strbuf *message = &error->message;
    error->kind = kind;
    error->code = code;
    error->status = ex->status;
    redact(self, REDACT_THEIRS, strbuf_str(&ex->reason), MAX_WORDS, &error->reason);
    add_server_text(self, &ex->reply, &error->body);
    add_server_text(self, &ex->head, &error->head);
    session_redact(self, strbuf_str(&ex->url), &error->url);
    if (ex->status != 0 && ex->status != 200) {
        strbuf_format(message, "HTTP status %d", ex->status);
        if (error->reason.length != 0) {
            strbuf_text(message, " ");
            strbuf_append(message, strbuf_str(&error->reason), error->reason.length);
        }
        if (*words != '\0')
            strbuf_text(message, ", ");
    }
    session_redact(self, words, message);
    strbuf_text(message, " (");
    strbuf_append(message, strbuf_str(&error->url), error->url.length);
    strbuf_text(message, ")");
    // Servers like to say the same in the reason phrase and in the body.
    strbuf said = {0};
    add_words(self, strbuf_str(&ex->reply), &said);
    if (said.length != 0 && strcmp(strbuf_str(&said), strbuf_str(&error->reason)) != 0) {
        strbuf_text(message, "; the server said: ");
        strbuf_append(message, strbuf_str(&said), said.length);
    }
    strbuf_free(&said);
    add_hint(self, ex, kind, message);
}

void session_fail_exchange(session *self, const exchange *ex, session_error_kind kind, int code,
                           const char *words) {
    if (phase_has_ended(self))
        return;
    describe(self, ex, kind, code, words, &self->error);
    count_failure(self, false);
    phase_end(self);
}

void session_note_failure(session *self, const exchange *ex, session_error_kind kind, int code,
                          const char *words) {
    if (phase_has_ended(self))
        return; // with an error that is to be told
    describe(self, ex, kind, code, words, &self->error);
    count_failure(self, true);
}
