// case: two letters on from a backslash
const char *find_quote(const char *p)
{
    while (*p && *p != '"') {
        if (*p == '\\')
            p += 2;  // expect: c/out-of-bounds-read
        else
            p++;
    }
    return p;
}

// case: two letters on from a backslash before another letter
const char *find_quote(const char *p)
{
    while (*p && *p != '"') {
        if (*p == '\\' && p[1] != '\0')
            p += 2;
        else
            p++;
    }
    return p;
}

// case: one letter on in the body and one in the loop
const char *find_quote(const char *p)
{
    for (; *p && *p != '"'; p++) {
        if (*p == '\\')
            p++;  // expect: c/out-of-bounds-read
    }
    return p;
}

// case: the letter behind the backslash may end the loop
const char *find_quote(const char *p)
{
    for (; *p && *p != '"'; p++) {
        if (*p == '\\' && *++p == '\0')
            break;
    }
    return p;
}

// case: an index two on from a backslash
#include <stddef.h>
size_t closing(const char *s)
{
    size_t i = 0;
    while (s[i] != '\0' && s[i] != '\'') {
        if (s[i] == '\\')
            i += 2;  // expect: c/out-of-bounds-read
        else
            i += 1;
    }
    return i;
}

// case: the letter behind a backslash is copied whatever it is
void unescape(const char *p, char *out)
{
    while (*p) {
        if (*p == '\\')
            p++;  // expect: c/out-of-bounds-read
        *out++ = *p++;
    }
    *out = 0;
}

// case: the end behind a backslash leaves the loop
void unescape(const char *p, char *out)
{
    while (*p) {
        if (*p == '\\') {
            p++;
            if (!*p)
                break;
        }
        *out++ = *p++;
    }
    *out = 0;
}

// case: a pointer to the end bounds the loop
int count(const char *p, const char *end)
{
    int n = 0;
    while (p < end && *p) {
        if (*p == '\\')
            p += 2;
        else
            p++;
        n++;
    }
    return n;
}

// case: the end is one of the letters that are told apart
void show(const char *p, void (*put)(int))
{
    for (; *p; p++) {
        if (*p == '\\') {
            switch (*++p) {
            case 'n': put('\n'); break;
            case '\0': return;
            default: put(*p);
            }
        } else
            put(*p);
    }
}
