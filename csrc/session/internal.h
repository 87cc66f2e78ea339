/* What the files of this folder share: the structs behind session.h. */
#ifndef GAECHANNEL_SESSION_INTERNAL_H
#define GAECHANNEL_SESSION_INTERNAL_H

#include "dialect.h"
#include "session.h"
#include "wire/framer.h"
#include "wire/literal.h"
#include "wire/literal_unescape.h"

/* ---- Maps that wait (maps.h) ---- */

typedef struct map {
    // key NUL value NUL …, percent-encoded; before each value, an `S`, or a `J` where it is JSON of what the
    // caller gave.
    strbuf fields;
    size_t field_count;
    // Of the map's keys and values as they were given, in bytes.
    size_t size;
    int64_t id;
} map;

typedef struct map_list {
    // The maps that the server has not confirmed, oldest first: `items[first]` … `items[first + count - 1]`.
    map *items;
    size_t first;
    size_t count;
    size_t capacity;
    // How many were taken off, over all sessions; and how many had been when the present session began, whose
    // first map counts as 0.
    int64_t gone;
    int64_t gone_before;
    // Of the next map.
    int64_t next_id;
    // The oldest ones that belong to the present session alone; that have been in a request of its.
    size_t of_session;
    size_t tried;
    // The oldest ones that the caller has taken back. A request of this session has held them, so the server
    // may count them: they stay until they are confirmed, or the session is gone.
    size_t dropped;
    // The oldest of these, which were refused and are told to be no maps: they wait for the next map.
    size_t fillers;
    // The sizes of all others, together.
    size_t bytes;
    // This session's server refuses fillers, too.
    bool unfillable;
} map_list;

/* ---- One of the two exchanges ---- */

// Why a request was given up from this side.
typedef enum abort_reason {
    ABORT_NONE,
    ABORT_CORRUPT,   // its body is no run of chunks of arrays
    ABORT_TOO_LONG,  // its body passes every limit
    ABORT_TIMEOUT,   // silence
    ABORT_BUFFERED,  // silence that may be a proxy's
    ABORT_DEAD,      // the server has sent arrays that never came
    ABORT_FULL,      // the queue has no room for what it brings
    ABORT_CANCELLED, // nobody needs it any more
} abort_reason;

/* ---- What is known of proxies on the way (buffering.h) ---- */

typedef struct buffering {
    // Batches are asked for; they were once; one has brought arrays.
    bool batches;
    bool tried;
    bool delivered;
    // A response that goes on has brought something before it ended.
    bool streamed;
    // A batch came at once where responses had gone on before: they are asked for once more.
    bool doubted;
    // Back channels in a row that brought all at their end; of whose body nothing came.
    int late;
    int empty;
    // How many of the latter say that batches are to be asked for; 0: not counted yet.
    int needed;
} buffering;

// Flags and numbers of four bytes stand together: ten thousand of these wait for days.
typedef struct exchange {
    request_kind kind;
    abort_reason abort_reason;
    bool active;
    // Somebody else is making the URL.
    bool asking_url;
    // The queue was full.
    bool paused;
    // webchannel's fast handshake: this back channel also opens the session.
    bool opens;
    // Of the response: whether the chunk that is being taken is known to be ASCII; whether what is wrong with
    // its body is about one array, asked for a second time, and given up.
    bool is_ascii;
    bool poisoned;
    // Other headers were asked for after a 401, and no 200 has come since.
    bool has_renewed;
    // Of the response.
    int status;
    // Failures in a row.
    int failures;
    // How often in a row the request was sent and reached nobody.
    int stale;
    // How often in a row the request was answered by what may be somebody else on the way, since
    // foreign_since_ms.
    int foreign;
    // Back channels that ended at once, in order and empty, in a row.
    int fruitless;
    // Maps in the request.
    unsigned maps_count;
    // The request.
    strbuf url;
    strbuf body;
    int64_t rid;
    // The response.
    strbuf reason;
    strbuf head; // of a status that is not 200
    int64_t retry_after_ms;
    strbuf reply; // the body, unless it is streamed
    framer framer;
    uint64_t arrays; // new ones that came with it
    // What is wrong with the response's body; a static string.
    const char *corruption;
    // Times.
    int64_t started_ms;
    // When a byte came last; or, of a request that is no hanging one, when it last made progress.
    int64_t last_byte_ms;
    int64_t first_byte_ms; // of the body
    size_t progress;       // bytes since
    int64_t not_before_ms; // of the next request
    int64_t foreign_since_ms;
} exchange;

/* ---- How far it has come: read and changed in phase.c alone ---- */

// Besides these, the phase follows from the SID, from clid, and from the maps that wait.
typedef struct phase_facts {
    // The session is over, be it with an error; whoever drives it was told.
    enum { END_NOT_YET, END_COME, END_TOLD } end;
    // Somebody has asked for the end; the server refused the verb that the dialect begins with; it was told,
    // or will not be.
    enum { CLOSE_NOT_ASKED, CLOSE_ASKED, CLOSE_OTHERWISE, CLOSE_DONE } close;
    // What back channels have shown, over all sessions: one was answered; one has brought arrays.
    enum { PROOF_NONE, PROOF_ANSWERED, PROOF_ARRAYS } proof;
    // The present token: a back channel was answered to it; it was refused as expired.
    enum { TOKEN_UNPROVEN, TOKEN_PROVEN, TOKEN_EXPIRED } token;
    // A back channel of the present session was answered.
    bool answered;
    // A back channel has come and gone since the goal was set.
    bool polled;
    // The session that is about to open has been told to whoever wanted to know.
    bool prepared;
    // webchannel: the fast handshake's URL is too long for proxies.
    bool opens_by_post;
} phase_facts;

typedef struct log_entry {
    int level;
    strbuf text;
} log_entry;

struct session {
    session_config config; // its texts are in `fields`
    const dialect *dialect;
    strbuf fields[FIELD_COUNT];
    exchange exchanges[SLOT_COUNT];
    // RID of the next forward-channel request.
    int64_t rid;
    // Highest array id received in full in this session; -1 before array 0.
    int64_t aid;
    queue queue;
    // The array's id of the message that was taken last.
    int64_t taken_id;
    map_list maps;
    session_stats stats;
    // The last failure; how many there were.
    session_error error;
    uint64_t failed;
    buffering buffering;
    phase_facts phase;
    session_goal goal;
    // `t` as a caller has set it; 0: not set.
    int trial;
    opening_retry opening_retry;
    // How the session stands, and the changes of that which nobody has taken yet, oldest first.
    session_state state;
    bool keeps_states;
    uint8_t states_count;
    uint8_t states[8]; // each a session_state
    // The last failure was mended, or forgotten since.
    bool is_mended;
    // The back channel was given up for want of room in the queue, and is not to be asked for before there
    // is.
    bool full;
    // Maps that were refused, of which nobody was told yet.
    size_t refused_untold;
    // Back channels asked for, over all sessions.
    uint64_t back_channels;
    // The array that could not be read the last time; -1: none.
    int64_t poison_id;
    // No array has come behind the opening reply's.
    bool behind_opening;
    bool asks_token;
    bool asks_session;
    bool asks_headers;
    // Other headers are being asked for.
    bool needs_headers;
    bool custom_init_url;
    bool custom_bind_url;
    // FIELD_BIND_PATH, which may be empty, stands in place of the dialect's.
    bool has_bind_path;
    // 1.5 times the keep-alive that array 0 gave; 0: none given.
    int64_t keepalive_limit_ms;
    // When the back channel counts as dead although bytes are owed; SESSION_NEVER: not.
    int64_t dead_at_ms;
    // Whether it does for arrays that the server has sent, which a response's head alone does not bring.
    bool owes;
    int log_level;
    int corrupt_in_row;
    int lost_in_row;
    int expired_in_row;
    uint64_t random;
    // What must not be shown, each followed by NUL.
    strbuf secrets;
    // The same, of what is replaced now and then.
    strbuf renewed;
    strbuf private_words;
    strbuf renewed_private;
    // The same, of the cookies that came last.
    strbuf cookies;
    log_entry *log;
    size_t log_count;
    size_t log_capacity;
};

#endif
