/* The caller's cookies stand beside those of libcurl's own, in one header; a cookie that the server sets is
 * the server's from then on. */
#include "net/cookies.h"

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

// In between, cookies are kept as libcurl writes them to files.
void cookies_close(cookie_jar *self, CURL *easy) {
    struct curl_slist *kept = NULL;
    if (self->set >= MAX_SET_COOKIES || self->has_news ||
        curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &kept) != CURLE_OK)
        return;
    bool sound = kept != NULL || !self->has_any; // or memory has run out
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

// Each jar has what the other one had before: so what is in one now is all that the other one is to have.
bool cookies_pass_on(cookie_jar *self, CURL *easy, cookie_jar *other, CURL *others) {
    struct curl_slist *lines = NULL;
    if (!self->has_news || !self->is_open)
        return true;
    // libcurl would take none until the other one's next request: these stay news.
    if (other->is_open && other->set >= MAX_SET_COOKIES)
        return true;
    if (curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &lines) != CURLE_OK)
        return false;
    self->has_news = false;
    other->has_any = true;
    if (!other->is_open) {
        curl_slist_free_all(other->kept);
        other->kept = lines;
        return true;
    }
    // But for those of a head that is just being read there.
    if (!other->has_news)
        curl_easy_setopt(others, CURLOPT_COOKIELIST, "ALL");
    bool given = give(others, lines);
    curl_slist_free_all(lines);
    return given;
}

static void write_lines(const struct curl_slist *lines, strbuf *out) {
    for (; lines != NULL; lines = lines->next) {
        strbuf_text(out, lines->data);
        strbuf_text(out, "\n");
    }
}

void cookies_write(const cookie_jar *self, CURL *easy, strbuf *out) {
    struct curl_slist *lines = NULL;
    if (!self->is_open || easy == NULL) {
        write_lines(self->kept, out);
    } else if (curl_easy_getinfo(easy, CURLINFO_COOKIELIST, &lines) == CURLE_OK) {
        write_lines(lines, out);
        curl_slist_free_all(lines);
    }
}

void cookies_forget(cookie_jar *self, CURL *easy) {
    curl_slist_free_all(self->kept);
    self->kept = NULL;
    self->has_any = self->has_news = false;
    if (self->is_open && easy != NULL)
        curl_easy_setopt(easy, CURLOPT_COOKIELIST, "ALL");
}

void cookies_free(cookie_jar *self) {
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

void cookies_set(cookie_jar *self, bool has_other, char *given, const char *value, size_t value_length) {
    self->set++;
    self->has_any = true;
    self->has_news = has_other;
    if (given != NULL)
        drop(given, value, name_length_of(value, value_length));
}

// In a line, the name is the sixth of seven parts, with tabs between.
void cookies_drop_set(char *given, const char *lines) {
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        const char *name = lines;
        for (int part = 0; part < 5 && name < lines + length; part++)
            name += strcspn(name, "\t\n") + 1;
        if (name < lines + length)
            drop(given, name, strcspn(name, "\t\n"));
        lines += length + (lines[length] == '\n');
    }
}
