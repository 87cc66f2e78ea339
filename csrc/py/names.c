/* The names of what is asked of Python's objects again and again. */
#include "py/names.h"

static const char *const texts[NAME_COUNT] = {
    [NAME_ADD_READER] = "add_reader",
    [NAME_ADD_WRITER] = "add_writer",
    [NAME_REMOVE_READER] = "remove_reader",
    [NAME_REMOVE_WRITER] = "remove_writer",
    [NAME_CALL_LATER] = "call_later",
    [NAME_CALL_SOON] = "call_soon",
    [NAME_CALL_SOON_THREADSAFE] = "call_soon_threadsafe",
    [NAME_CREATE_FUTURE] = "create_future",
    [NAME_IS_CLOSED] = "is_closed",
    [NAME_DONE] = "done",
    [NAME_SET_RESULT] = "set_result",
    [NAME_FUTURE_BLOCKING] = "_asyncio_future_blocking",
    [NAME_CANCEL] = "cancel",
    [NAME_IS_ENABLED_FOR] = "isEnabledFor",
    [NAME_DEBUG] = "debug",
    [NAME_INFO] = "info",
    [NAME_WARN] = "warn",
    [NAME_WARNING] = "warning",
    [NAME_ASK_TOKEN] = "_ask_token",
    [NAME_FIND_LOOP] = "_find_loop",
    [NAME_GET_BIND_URL] = "_get_bind_url",
    [NAME_GET_INIT_URL] = "_get_init_url",
    [NAME_MAPS_GIVEN] = "_maps_given",
    [NAME_OF_METADATA] = "_of_metadata",
    [NAME_PREPARE_SESSION] = "_prepare_session",
    [NAME_REFUSE_WAITING] = "_refuse_waiting",
    [NAME_RENEW_HEADERS] = "_renew_headers",
    [NAME_STORE_COOKIES] = "_store_cookies",
    [NAME_TELL_STATE] = "_tell_state",
    [NAME_CHANNEL] = "channel",
};

int names_make(PyObject *names[NAME_COUNT]) {
    for (int i = 0; i < NAME_COUNT; i++)
        if ((names[i] = PyUnicode_InternFromString(texts[i])) == NULL)
            return -1;
    return 0;
}
