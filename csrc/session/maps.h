/* The maps that the server has not confirmed; what callers use of them is in session.h. */
#ifndef GAECHANNEL_SESSION_MAPS_H
#define GAECHANNEL_SESSION_MAPS_H

#include "internal.h"

void map_list_confirm(map_list *list, size_t count);
/* A new session begins: its first map is the oldest unconfirmed one, or, with `drop`, the next to be added.
 */
void map_list_restart(map_list *list, bool drop);
/* Take the oldest `count` off, and append them to `out` as session_error has them. False, with nothing taken,
 * when memory ran out. */
bool map_list_refuse(map_list *list, size_t count, strbuf *out);
/* The oldest `count` were refused: append them to `out` in the same way, and leave fillers in their place,
 * unless those are refused, too. False, with nothing taken, when memory ran out. */
bool map_list_fill(map_list *list, size_t count, strbuf *out);
void map_list_free(map_list *list);
/* Append `count=…&ofs=…&req0_…` for as many maps as one request may hold; returns how many that were. */
size_t map_list_write(map_list *list, strbuf *out);
/* So many go out with a request: the server may have them from now on. */
void map_list_try(map_list *list, size_t count);

#endif
