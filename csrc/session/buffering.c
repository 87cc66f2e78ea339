/* Whether a proxy on the way holds the back channel's response back until it ends.
 *
 * Then nothing comes, or the head alone, or all comes at its end; nginx, as it is set up when new, does so.
 * Asked with CI=1, the server ends each response after a batch. Closure's WebChannel finds out in the same
 * way (detectBufferingProxy): its first back channel is given up when no byte of the body came within twice
 * what the opening request took, or four times, as in Firestore's client. That suits servers that write
 * something at once, as Google's do; here the wait is longer, since there are servers whose back channel's
 * head comes with the first array.
 *
 * A network's outage looks the same. So a channel whose responses went on before, and to which a batch then
 * comes, asks for a response that goes on once more before it believes. */
#include "buffering.h"

#include "session/report.h"
#include "session/retry.h"

// How long a back channel may be without any answer before the first that was answered early.
#define UNANSWERED_MS 10000
// What comes so shortly before the response's end has come at its end; and only one that was silent for so
// long says anything.
#define AT_THE_END_MS 1000
// Back channels in a row, each with all of its arrays at its end, that are no chance.
#define MAX_LATE 2
// The same of back channels of whose body nothing came, where responses went on before.
#define MAX_EMPTY 2
// As many are needed at most after batches that brought nothing either, time and again: the server is idle.
#define MAX_NEEDED 16

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
    known->late = known->empty = 0;
    session_log(self, batches && !known->tried ? LOG_WARNING : LOG_DEBUG, "%s",
                batches ? "a proxy seems to hold responses back: asking the server to end each after a batch"
                        : "asking the server for responses that go on");
    known->tried = true;
}

static int needed(const buffering *known) {
    int least = known->streamed ? MAX_EMPTY : 1;
    if (known->doubted)
        return 1;
    return known->needed > least ? known->needed : least;
}

// Batches have shown nothing.
static void give_up_batches(session *self) {
    buffering *known = &self->buffering;
    int more = needed(known) * 2;
    known->needed = more < MAX_NEEDED ? more : MAX_NEEDED;
    known->doubted = false;
    ask_batches(self, false);
}

// A batch brought arrays; `waited`: that took as long as it takes where nobody holds anything back.
static void take_batch(session *self, bool waited) {
    buffering *known = &self->buffering;
    if (!known->streamed || known->delivered || (known->doubted && !waited)) {
        known->delivered = true;
    } else if (waited) {
        give_up_batches(self);
    } else {
        known->doubted = true;
        ask_batches(self, false);
    }
}

int64_t buffering_deadline_ms(const session *self, const exchange *ex) {
    const buffering *known = &self->buffering;
    bool doubtful = may_change(self) && !known->tried && !known->streamed && ex->status == 0;
    // A channel that may not ask again waits as long as was agreed.
    return doubtful && session_may_retry(self, ex) ? ex->started_ms + UNANSWERED_MS : SESSION_NEVER;
}

bool buffering_on_silence(session *self, const exchange *ex) {
    buffering *known = &self->buffering;
    bool first_try = !known->tried;
    if (!may_change(self) || ex->first_byte_ms >= 0)
        return false;
    if (!known->batches) {
        if (++known->empty >= needed(known))
            ask_batches(self, true);
    } else if (!known->delivered) {
        give_up_batches(self);
    }
    return first_try && known->batches && ex->status == 0;
}

void buffering_on_arrays(session *self, const exchange *ex, int64_t now_ms) {
    buffering *known = &self->buffering;
    known->empty = 0;
    if (known->batches || now_ms - ex->first_byte_ms < AT_THE_END_MS)
        return;
    known->streamed = true;
    known->doubted = known->delivered = false;
}

void buffering_on_end(session *self, const exchange *ex, int64_t now_ms) {
    buffering *known = &self->buffering;
    if (!may_change(self) || ex->arrays == 0)
        return;
    bool waited = ex->first_byte_ms - ex->started_ms >= AT_THE_END_MS;
    if (known->batches) {
        take_batch(self, waited);
        return;
    }
    bool at_the_end = now_ms - ex->first_byte_ms < AT_THE_END_MS;
    known->late = at_the_end && waited ? known->late + 1 : 0;
    if (known->late >= (known->doubted ? 1 : MAX_LATE))
        ask_batches(self, true);
}
