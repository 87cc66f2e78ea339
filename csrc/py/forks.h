/* How often this process was forked off another since the module was loaded: what was made before belongs to
 * the parent. */
#ifndef GAECHANNEL_PY_FORKS_H
#define GAECHANNEL_PY_FORKS_H

#include <stdbool.h>

/* Begin to count; `in_child` is called in each child, where no other thread is. False when memory ran out. */
bool forks_watch(void (*in_child)(void));

unsigned long forks_seen(void);

#endif
