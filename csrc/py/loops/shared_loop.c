/* Taking turns at a loop. */
#include "py/loops/shared_loop.h"

#include <sched.h> // sched_yield()
#include <stdatomic.h>
#include <stdlib.h> // calloc()
#include <time.h>   // clock_gettime()

#include "py/forks.h"

// A shorter time is nothing against any time-out.
#define CATCH_UP_MS 50

/* ---- Waiting for at most a time, by a clock that nobody sets ---- */

#ifdef __APPLE__ // whose condition variables know no other clock than the time of day, but spans

static void init_turn(pthread_cond_t *turn) {
    pthread_cond_init(turn, NULL);
}

static void wait_for_turn(shared_loop *self, int64_t max_ms) {
    struct timespec span = {.tv_sec = (time_t)(max_ms / 1000), .tv_nsec = (long)(max_ms % 1000) * 1000000};
    pthread_cond_timedwait_relative_np(&self->turn, &self->lock, &span);
}

#else

static void init_turn(pthread_cond_t *turn) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(turn, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void wait_for_turn(shared_loop *self, int64_t max_ms) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)(max_ms / 1000);
    until.tv_nsec += (long)(max_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_cond_timedwait(&self->turn, &self->lock, &until);
}

#endif

/* ---- The loop ---- */

shared_loop *shared_loop_new(bool with_loop) {
    shared_loop *self = calloc(1, sizeof *self);
    if (self == NULL || (with_loop && (self->loop = net_loop_new()) == NULL)) {
        free(self);
        PyErr_NoMemory();
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    init_turn(&self->turn);
    self->users = 1;
    self->forks = forks_seen();
    return self;
}

shared_loop *shared_loop_share(shared_loop *self) {
    __atomic_add_fetch(&self->users, 1, __ATOMIC_RELAXED);
    return self;
}

bool shared_loop_is_parents(const shared_loop *self) {
    return self->forks != forks_seen();
}

void shared_loop_release(shared_loop *self) {
    if (self == NULL || shared_loop_is_parents(self) ||
        __atomic_sub_fetch(&self->users, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    net_loop_free(self->loop);
    pthread_cond_destroy(&self->turn);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void shared_loop_shut_lock_held(shared_loop *self) {
    net_loop_free(self->loop);
    self->loop = NULL;
}

/* ---- Waiting for the lock, and coming back with it ---- */

// Once the interpreter ends, whoever asks for the GIL never gets it: the thread ends there, or stands still
// (from CPython 3.14 on), and a lock that it has is lost to the main thread, which closes channels on its way
// out. So from shortly before then on, nobody asks for the GIL with a lock.
static atomic_bool ending;
// The threads that do.
static atomic_int coming;

// Come back with the lock. False: the lock was let go for that.
static bool come_back(shared_loop *self, PyThreadState *thread) {
    coming++;
    bool keeps = !ending;
    if (!keeps) {
        pthread_mutex_unlock(&self->lock);
        coming--;
    }
    PyEval_RestoreThread(thread);
    if (keeps)
        coming--;
    return keeps;
}

void shared_loops_prepare_end(bool ends) {
    ending = ends;
    Py_BEGIN_ALLOW_THREADS;
    while (ends && coming != 0)
        sched_yield();
    Py_END_ALLOW_THREADS;
}

void shared_loops_forget_threads(void) {
    coming = 0;
}

void shared_loop_lock_waiting(shared_loop *self) {
    do {
        PyThreadState *thread = PyEval_SaveThread();
        pthread_mutex_lock(&self->lock);
        if (come_back(self, thread))
            return;
    } while (!shared_loop_try_lock(self));
}

// How often to wake a thread that drives and is waited for, in case that it began to wait just after the last
// time.
#define WAKEUP_MS 10

void shared_loop_turn_lock_held(shared_loop *self, int64_t max_ms) {
    if (self->driving || self->loop == NULL) {
        wait_for_turn(self, max_ms);
        return;
    }
    self->driving = true;
    int64_t wait_ms = net_loop_wait_ms(self->loop, max_ms);
    pthread_mutex_unlock(&self->lock);
    net_loop_wait(self->loop, wait_ms);
    pthread_mutex_lock(&self->lock);
    self->driving = false;
    net_loop_perform(self->loop);
    self->driven_ms = net_now_ms();
    pthread_cond_broadcast(&self->turn);
}

void shared_loop_catch_up_lock_held(shared_loop *self) {
    if (self->driving || self->loop == NULL || net_now_ms() - self->driven_ms < CATCH_UP_MS)
        return;
    net_loop_perform(self->loop);
    self->driven_ms = net_now_ms();
}

// Make a waiting thread look again.
static void wake_up(shared_loop *self) {
    if (self->driving)
        net_loop_wakeup(self->loop);
    pthread_cond_broadcast(&self->turn);
}

void shared_loop_step_soon_lock_held(shared_loop *self, net_channel *channel) {
    net_channel_step_soon(channel);
    wake_up(self);
}

void shared_loop_lock_idle(shared_loop *self) {
    shared_loop_lock(self);
    while (self->driving) {
        PyThreadState *thread = PyEval_SaveThread();
        while (self->driving) {
            wake_up(self);
            wait_for_turn(self, WAKEUP_MS);
        }
        if (!come_back(self, thread))
            shared_loop_lock(self);
    }
}
