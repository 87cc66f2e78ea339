/* What the session says of itself: log records and errors, without secrets. */
#include "session/report.h"

#include <stdarg.h>
#include <stdio.h>  // vsnprintf()
#include <stdlib.h> // realloc()
#include <string.h>

#include "session/phase.h"
#include "session/redact.h"

// Records kept for a caller who never takes them.
#define MAX_LOG 256
// Of the server's own words.
#define MAX_WORDS 500

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

// What a caller is likely to have got wrong: a server that was never there, or is somewhere else on its host;
// a token of another server, or one that nobody can ask for anew.
static void add_hint(const session *self, const exchange *ex, session_error_kind kind, strbuf *message) {
    bool unreachable = ex->status == 0 && (kind == ERROR_TRANSPORT || kind == ERROR_TIMEOUT);
    if (self->config.url_is_retired && unreachable)
        strbuf_text(message, "; Google ended the Channel API's service in 2017: name the address of another "
                             "server with base_url= or in the environment variable GAECHANNEL_BASE_URL");
    if (kind == ERROR_TOKEN_EXPIRED && !self->asks_token)
        strbuf_text(message, "; a callable in the token's place is asked for another one");
    if (kind == ERROR_TOKEN_INVALID)
        strbuf_text(message, "; it is not this server's, or was made before the server got another key");
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
    redact_body(self, &ex->reply, &error->body);
    redact_body(self, &ex->head, &error->head);
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
