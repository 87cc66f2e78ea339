/* What callers see of a session, and may change: its texts and numbers. */
#include "session/fields.h"

#include <stdlib.h> // malloc()

#include "session/phase.h"
#include "session/redact.h"
#include "session/retry.h"

// How long close() waits where it has something to say. Without, the dialect knows.
#define CLOSE_FORM_MS 1000

void session_random_letters(session *self, size_t count, strbuf *out) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < count; i++)
        strbuf_append(out, &letters[session_random(self) % (sizeof letters - 1)], 1);
}

const strbuf *session_get(const session *self, session_field field) {
    return &self->fields[field];
}

static bool keep(session *self, session_field field, const char *text) {
    bool kept = strbuf_set(&self->fields[field], text);
    strbuf_trim(&self->fields[field]); // as long as the session
    return kept;
}

bool session_set(session *self, session_field field, const char *text) {
    if (field == FIELD_TOKEN)
        phase_new_token(self);
    if (field == FIELD_SID && (text == NULL || *text == '\0'))
        phase_forget_sid(self);
    else if (field == FIELD_SID)
        phase_change_sid(self);
    if (!keep(self, field, text))
        return false;
    return field != FIELD_URL || text == NULL || session_add_userinfo(self, text);
}

bool session_set_from_token(session *self, session_field field, const literal_reader *reader) {
    char *plain = malloc(reader->token_length + 1);
    if (plain == NULL)
        return false;
    bool lone;
    size_t length = literal_unescape(reader->token, reader->token_length, (uint8_t *)plain, &lone);
    plain[length] = '\0';
    bool done = keep(self, field, plain);
    free(plain);
    return done;
}

int64_t session_get_number(const session *self, session_number number) {
    switch (number) {
    case NUMBER_RID:
        return self->rid;
    case NUMBER_AID:
        return self->aid > 0 ? self->aid : 0;
    case NUMBER_TAKEN:
        return self->taken_id;
    case NUMBER_TRIAL:
        return self->trial > 0 ? self->trial : self->exchanges[SLOT_BACK].failures + 1;
    case NUMBER_BACKOFF_MS:
        return session_backoff_ms(self, self->exchanges[SLOT_BACK].failures + 1);
    case NUMBER_FAILURES:
        return self->exchanges[SLOT_BACK].failures;
    case NUMBER_AUTO_RECONNECT:
        return self->config.auto_reconnect;
    case NUMBER_MAX_RECONNECTS:
        return self->config.max_reconnects;
    case NUMBER_CLOSE_MS:
        return self->fields[FIELD_CLOSE_FORM].length != 0 ? CLOSE_FORM_MS : self->dialect->close_ms;
    }
    return 0;
}

void session_set_number(session *self, session_number number, int64_t value) {
    switch (number) {
    case NUMBER_RID:
        self->rid = value;
        break;
    case NUMBER_TAKEN:
    case NUMBER_CLOSE_MS:
        break;
    case NUMBER_AID:
        self->aid = value;
        break;
    case NUMBER_TRIAL:
        self->trial = (int)value;
        break;
    case NUMBER_BACKOFF_MS: {
        // The number of failures that leads to the wait asked for.
        int failures = 0;
        while (session_backoff_ms(self, failures + 1) < value && failures < 32)
            failures++;
        self->exchanges[SLOT_BACK].failures = failures;
        break;
    }
    case NUMBER_FAILURES:
        self->exchanges[SLOT_BACK].failures = (int)value;
        break;
    case NUMBER_AUTO_RECONNECT:
        self->config.auto_reconnect = value != 0;
        break;
    case NUMBER_MAX_RECONNECTS:
        self->config.max_reconnects = value < INT32_MAX ? (int)value : INT32_MAX;
        break;
    }
}
