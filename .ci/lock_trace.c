/* Notes in which order threads take the extension module's locks: linked into one that is built for that,
 * with the linker's --wrap, so that each call below of the module's own code comes here first. See locks.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* CPython's, which are declared here as far as needed. */
typedef void *thread_lock;
typedef long long microseconds;

/* A call that takes a lock: whose lock, and from where in the code. */
typedef struct {
    enum { GIL = 'G', MUTEX = 'm', CPYTHONS = 'p' } whose;
    const void *where;
} place;

typedef struct {
    const void *lock;
    place taken;
} holding;

enum { DEEPEST = 8, MOST = 4096 };
static _Thread_local holding held[DEEPEST];
static _Thread_local int depth;
/* Whoever calls a module has the GIL, until it is let go. */
static _Thread_local bool without_gil;

typedef struct {
    place holds;
    place takes;
    bool waits;
} step;

static step steps[MOST];
static int count;
static atomic_flag busy = ATOMIC_FLAG_INIT;

static bool same(place a, place b) {
    return a.whose == b.whose && a.where == b.where;
}

static void note(place holds, place takes, bool waits) {
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        ;
    int i = 0;
    while (i < count &&
           !(same(steps[i].holds, holds) && same(steps[i].takes, takes) && steps[i].waits == waits))
        i++;
    if (i == MOST)
        abort();
    steps[i] = (step){holds, takes, waits};
    count += i == count;
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

/* A lock is asked for, and waited for where another thread has it. */
static void ask(place takes, bool waits) {
    if (!without_gil && takes.whose != GIL)
        note((place){GIL, NULL}, takes, waits);
    for (int i = 0; i < depth; i++)
        note(held[i].taken, takes, waits);
}

static void have(const void *lock, place taken) {
    if (depth == DEEPEST)
        abort();
    held[depth++] = (holding){lock, taken};
}

static void leave(const void *lock) {
    for (int i = depth - 1; i >= 0; i--) {
        if (held[i].lock == lock) {
            for (depth--; i < depth; i++)
                held[i] = held[i + 1];
            return;
        }
    }
}

#define HERE(whose) ((place){whose, __builtin_return_address(0)})

int __real_pthread_mutex_lock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_lock(pthread_mutex_t *lock) {
    ask(HERE(MUTEX), true);
    int result = __real_pthread_mutex_lock(lock);
    have(lock, HERE(MUTEX));
    return result;
}

int __real_pthread_mutex_trylock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_trylock(pthread_mutex_t *lock) {
    ask(HERE(MUTEX), false);
    int result = __real_pthread_mutex_trylock(lock);
    if (result == 0)
        have(lock, HERE(MUTEX));
    return result;
}

int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock) {
    leave(lock);
    return __real_pthread_mutex_unlock(lock);
}

/* A wait gives the lock back, and waits for it again. */
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *until) {
    leave(lock);
    int result = __real_pthread_cond_timedwait(cond, lock, until);
    ask(HERE(MUTEX), true);
    have(lock, HERE(MUTEX));
    return result;
}

int __real_PyThread_acquire_lock(thread_lock lock, int waits);
int __wrap_PyThread_acquire_lock(thread_lock lock, int waits) {
    ask(HERE(CPYTHONS), waits != 0);
    int result = __real_PyThread_acquire_lock(lock, waits);
    if (result)
        have(lock, HERE(CPYTHONS));
    return result;
}

int __real_PyThread_acquire_lock_timed(thread_lock lock, microseconds most, int intr);
int __wrap_PyThread_acquire_lock_timed(thread_lock lock, microseconds most, int intr) {
    ask(HERE(CPYTHONS), most != 0);
    int result = __real_PyThread_acquire_lock_timed(lock, most, intr);
    if (result == 1)
        have(lock, HERE(CPYTHONS));
    return result;
}

void __real_PyThread_release_lock(thread_lock lock);
void __wrap_PyThread_release_lock(thread_lock lock) {
    leave(lock);
    __real_PyThread_release_lock(lock);
}

void *__real_PyEval_SaveThread(void);
void *__wrap_PyEval_SaveThread(void) {
    without_gil = true;
    return __real_PyEval_SaveThread();
}

void __real_PyEval_RestoreThread(void *state);
void __wrap_PyEval_RestoreThread(void *state) {
    ask((place){GIL, NULL}, true);
    __real_PyEval_RestoreThread(state);
    without_gil = false;
}

static void tell_place(FILE *file, place it, const void *base) {
    unsigned long offset = it.where != NULL ? (unsigned long)((uintptr_t)it.where - (uintptr_t)base) : 0;
    fprintf(file, "%c%#lx ", it.whose, offset);
}

/* A line each: what is held, what is taken, whether that waits; by addresses as in the file. */
__attribute__((destructor)) static void tell(void) {
    const char *folder = getenv("LOCK_TRACE");
    Dl_info me;
    char name[4096];
    if (folder == NULL || dladdr(steps, &me) == 0 ||
        snprintf(name, sizeof(name), "%s/%d", folder, (int)getpid()) >= (int)sizeof(name))
        return;
    FILE *file = fopen(name, "w");
    if (file == NULL)
        return;
    for (int i = 0; i < count; i++) {
        tell_place(file, steps[i].holds, me.dli_fbase);
        tell_place(file, steps[i].takes, me.dli_fbase);
        fprintf(file, "%s\n", steps[i].waits ? "waits" : "tries");
    }
    fclose(file);
}
