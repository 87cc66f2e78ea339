/* The caller's cookies stand beside those of libcurl's own, in one header; a cookie that the server sets is
 * the server's from then on. */
#include "net/cookies.h"

#include <stdlib.h> // free()
#include <string.h>

// As many cookies libcurl takes of one response; and of CURLOPT_COOKIELIST, before the next request.
#define MAX_SET_COOKIES 50

/* ---- Those that servers have set ---- */

static bool give(CURL *easy, const struct curl_slist *lines) {
    for (; lines != NULL; lines = lines->next)
        if (curl_easy_setopt(easy, CURLOPT_COOKIELIST, lines->data) != CURLE_OK)
            return false;
    return true;
}

bool cookies_open(cookie_jar *self, CURL *easy) {
    self->set = 0;
    if (self->is_open)
        return true;
    if (curl_easy_setopt(easy, CURLOPT_COOKIEFILE, "") != CURLE_OK || !give(easy, self->kept)) // in memory
        return false;
    curl_slist_free_all(self->kept);
    self->kept = NULL;
    self->is_open = true;
    return true;
}

// Whether libcurl reads a cookie as it has written it: domain, whether subdomains have it, path …
static bool is_sound(const char *line) {
    const char *path = strchr(line, '\t');
    path = path != NULL ? strchr(path + 1, '\t') : NULL;
    return path != NULL && path[1] == '/';
}

// A cookie of a host that there cannot be; it stays where there are others.
#define MARK_HOST "gaechannel.invalid\t"
#define MARK MARK_HOST "FALSE\t/\tFALSE\t0\tmark\t1"

// Whether there is none. libcurl writes none, too, where memory runs out: but then not even one that there
// is.
static bool is_empty(cookie_jar *self, CURL *easy) {
    struct curl_slist *lines = NULL;
    if (!self->has_any)
        return true;
    curl_easy_setopt(easy, CURLOPT_COOKIELIST, MARK);
    curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &lines);
    self->has_any = lines == NULL || lines->next != NULL;
    if (!self->has_any)
        curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
    curl_slist_free_all(lines);
    return !self->has_any;
}

// As libcurl writes them to files. False when memory ran out.
static bool list(cookie_jar *self, CURL *easy, struct curl_slist **lines) {
    *lines = NULL;
    return curl_easy_getinfo(easy, CURLINFO_COOKIELIST, lines) == CURLE_OK &&
           (*lines != NULL || is_empty(self, easy));
}

// In between, cookies are kept as libcurl writes them to files.
void cookies_close(cookie_jar *self, CURL *easy) {
    struct curl_slist *kept = NULL;
    if (!self->is_open) // already, between a response's head and its end: those that are kept stay
        return;
    if (self->set >= MAX_SET_COOKIES || self->news != NULL || !list(self, easy, &kept))
        return;
    bool sound = true;
    int count = 0;
    for (struct curl_slist *line = kept; line != NULL; line = line->next, count++)
        sound = sound && is_sound(line->data);
    if (!sound || count > MAX_SET_COOKIES) {
        curl_slist_free_all(kept);
        return;
    }
    self->kept = kept;
    self->is_open = false;
    curl_easy_setopt(easy, CURLOPT_COOKIEFILE, NULL);
}

// In a line, the name is the sixth of seven parts, with tabs between; or NULL.
static const char *name_in(const char *line, size_t *length) {
    const char *end = line + strcspn(line, "\n");
    for (int part = 0; part < 5 && line < end; part++)
        line += strcspn(line, "\t\n") + 1;
    *length = line < end ? strcspn(line, "\t\n") : 0;
    return line < end ? line : NULL;
}

static bool has_name(const struct curl_slist *names, const char *name, size_t length) {
    for (; names != NULL; names = names->next)
        if (strlen(names->data) == length && memcmp(names->data, name, length) == 0)
            return true;
    return false;
}

// Of the lines, those that have one of the names, or those that have none.
static bool give_some(CURL *easy, const struct curl_slist *lines, const struct curl_slist *names, bool have) {
    for (; lines != NULL; lines = lines->next) {
        size_t length;
        const char *name = name_in(lines->data, &length);
        if ((name != NULL && has_name(names, name, length)) == have &&
            curl_easy_setopt(easy, CURLOPT_COOKIELIST, lines->data) != CURLE_OK)
            return false;
    }
    return true;
}

// A head is just being read there, which has news of its own: of the others that it has, only those that have
// been set or taken back here are other ones now.
static bool give_news(const cookie_jar *self, const struct curl_slist *lines, cookie_jar *other,
                      CURL *others) {
    struct curl_slist *theirs;
    if (!list(other, others, &theirs))
        return false;
    curl_easy_setopt(others, CURLOPT_COOKIELIST, "ALL");
    bool given = give_some(others, theirs, self->news, false) && give_some(others, lines, self->news, true);
    curl_slist_free_all(theirs);
    return given;
}

static bool give_all(const struct curl_slist *lines, CURL *others) {
    curl_easy_setopt(others, CURLOPT_COOKIELIST, "ALL");
    return give(others, lines);
}

static void forget_news(cookie_jar *self) {
    curl_slist_free_all(self->news);
    self->news = NULL;
}

// Each jar has what the other one had before: so what is in one now is all that the other one is to have.
bool cookies_pass_on(cookie_jar *self, CURL *easy, cookie_jar *other, CURL *others) {
    struct curl_slist *lines;
    if (self->news == NULL || !self->is_open)
        return true;
    // libcurl would take none until the other one's next request: these stay news.
    if (other->is_open && other->set >= MAX_SET_COOKIES)
        return true;
    if (!list(self, easy, &lines))
        return false;
    bool given = true;
    if (!other->is_open) {
        curl_slist_free_all(other->kept);
        other->kept = lines;
    } else {
        given = other->news != NULL ? give_news(self, lines, other, others) : give_all(lines, others);
        curl_slist_free_all(lines);
    }
    other->has_any = true;
    if (given) // or else they stay news
        forget_news(self);
    return given;
}

static void write_lines(const struct curl_slist *lines, strbuf *out) {
    for (; lines != NULL; lines = lines->next) {
        if (strncmp(lines->data, MARK_HOST, strlen(MARK_HOST)) == 0)
            continue;
        strbuf_text(out, lines->data);
        strbuf_text(out, "\n");
    }
}

void cookies_write(cookie_jar *self, CURL *easy, strbuf *out) {
    struct curl_slist *lines;
    if (!self->is_open || easy == NULL) {
        write_lines(self->kept, out);
    } else if (list(self, easy, &lines)) {
        write_lines(lines, out);
        curl_slist_free_all(lines);
    } else {
        strbuf_fail(out);
    }
}

void cookies_forget(cookie_jar *self, CURL *easy) {
    curl_slist_free_all(self->kept);
    self->kept = NULL;
    self->has_any = false;
    forget_news(self);
    if (self->is_open && easy != NULL)
        curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
}

void cookies_free(cookie_jar *self) {
    forget_news(self);
    curl_slist_free_all(self->kept);
    *self = (cookie_jar){0};
}

/* ---- Those of the caller ---- */

static bool is_named(const char *cookie, const char *name, size_t name_length) {
    return strncmp(cookie, name, name_length) == 0 && cookie[name_length] == '=';
}

static void drop(char *cookies, const char *name, size_t name_length) {
    char *to = cookies;
    for (const char *at = cookies; *at != '\0';) {
        size_t length = strcspn(at, ";");
        length += strspn(at + length, "; "); // with what parts it from the next one
        if (!is_named(at, name, name_length)) {
            memmove(to, at, length);
            to += length;
        }
        at += length;
    }
    while (to > cookies && (to[-1] == ';' || to[-1] == ' '))
        to--;
    *to = '\0';
}

static size_t name_length_of(const char *value, size_t value_length) {
    size_t length = 0;
    while (length < value_length && value[length] != '=' && value[length] != ';')
        length++;
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    return length;
}

static bool add_news(cookie_jar *self, const char *name, size_t length) {
    if (has_name(self->news, name, length))
        return true;
    char *text = strndup(name, length);
    struct curl_slist *news = text != NULL ? curl_slist_append(self->news, text) : NULL;
    free(text);
    if (news != NULL)
        self->news = news;
    return news != NULL;
}

bool cookies_set(cookie_jar *self, bool has_other, char *given, const char *value, size_t value_length) {
    size_t length = name_length_of(value, value_length);
    self->set++;
    self->has_any = true;
    if (given != NULL)
        drop(given, value, length);
    return !has_other || add_news(self, value, length);
}

void cookies_drop_set(char *given, const char *lines) {
    while (*lines != '\0') {
        size_t name_length;
        const char *name = name_in(lines, &name_length);
        if (name != NULL)
            drop(given, name, name_length);
        lines += strcspn(lines, "\n");
        lines += *lines == '\n';
    }
}
