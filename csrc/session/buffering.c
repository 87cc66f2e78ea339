/* Whether a proxy on the way holds the back channel's response back until it ends.
 *
 * Then nothing comes, not even the response's head, or all comes at its end; nginx, as it is set up when new,
 * does so. Asked with CI=1, the server ends each response after a batch. Closure's WebChannel finds out in
 * the same way (detectBufferingProxy): no answer within four times what the opening request took. Here the
 * wait is longer, since there are servers whose back channel's head comes with the first array. */
#include "buffering.h"

// How long a back channel may be without any answer before the first that was answered early.
#define UNANSWERED_MS 10000
// What comes so shortly before the response's end has come at its end; and only one that was silent for so
// long says anything.
#define AT_THE_END_MS 1000
// Back channels in a row, each with all of its arrays at its end, that are no chance.
#define MAX_LATE 2
// The same of back channels without any answer, where one was answered early before.
#define MAX_UNANSWERED 2

bool buffering_asks_batches(const session *self) {
    return self->config.buffered == BUFFERED_YES || self->buffering.batches;
}

static bool may_change(const session *self) {
    return self->config.buffered == BUFFERED_AUTO && !self->dialect->polls;
}

static void ask_batches(session *self, bool batches) {
    buffering *known = &self->buffering;
    if (known->batches == batches)
        return;
    known->batches = batches;
    known->late = known->unanswered = 0;
    session_log(self, batches && !known->tried ? LOG_WARNING : LOG_DEBUG, "%s",
                batches ? "a proxy seems to hold responses back: asking the server to end each after a batch"
                        : "asking the server for responses that go on");
    known->tried = true;
}

int64_t buffering_deadline_ms(const session *self, const exchange *ex) {
    const buffering *known = &self->buffering;
    bool doubtful = may_change(self) && !known->tried && !known->streamed && ex->status == 0;
    return doubtful ? ex->started_ms + UNANSWERED_MS : SESSION_NEVER;
}

bool buffering_on_silence(session *self, const exchange *ex) {
    buffering *known = &self->buffering;
    bool first_try = !known->tried;
    if (!may_change(self) || ex->status != 0)
        return false;
    if (known->batches)
        ask_batches(self, known->delivered);
    else if (++known->unanswered >= (known->streamed ? MAX_UNANSWERED : 1))
        ask_batches(self, true);
    return first_try && known->batches;
}

void buffering_on_end(session *self, const exchange *ex, int64_t now_ms) {
    buffering *known = &self->buffering;
    if (!may_change(self) || ex->arrays == 0)
        return;
    known->unanswered = 0;
    if (known->batches) {
        known->delivered = true;
        return;
    }
    bool at_the_end = now_ms - ex->first_byte_ms < AT_THE_END_MS;
    bool waited = ex->first_byte_ms - ex->started_ms >= AT_THE_END_MS;
    if (!at_the_end)
        known->streamed = true;
    known->late = at_the_end && waited ? known->late + 1 : 0;
    if (known->late >= MAX_LATE)
        ask_batches(self, true);
}
