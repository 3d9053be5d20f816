// case: letters of a text as places in an array
#include <ctype.h>
extern const unsigned char kinds[256];
void tally(const char *text, int seen[26])
{
    for (; *text; text++) {
        int letter = tolower((unsigned char)*text) - 'a';
        seen[letter]++; // expect: c/out-of-bounds-write
    }
}
int is_word(const char *text)
{
    for (; *text != '\0'; text++)
        if (kinds[*text] == 0) // expect: c/out-of-bounds-read
            return 0;
    return 1;
}
// case: letters that are looked at before
#include <ctype.h>
extern const unsigned char kinds[256];
extern const int values[10];
void tally(const char *text, int seen[26])
{
    for (; *text; text++) {
        int letter = tolower((unsigned char)*text) - 'a';
        if (letter >= 0 && letter < 26)
            seen[letter]++;
    }
}
int is_word(const char *text)
{
    for (; *text != '\0'; text++)
        if (kinds[(unsigned char)*text] == 0)
            return 0;
    return 1;
}
int digits(const char *text)
{
    int sum = 0;
    for (; isdigit((unsigned char)*text); text++)
        sum += values[*text - '0'];
    return sum;
}
int column(const char *text, const int *columns)
{
    switch (text[0]) {
    case 'a':
    case 'b':
        return columns[text[0] - 'a'];
    }
    return 0;
}
int unsigned_place(const char *text, const int *columns)
{
    unsigned place = text[0] - 'a';
    return place < 2 ? columns[place] : 0;
}
static int known(const char *text, const int *columns)
{
    return columns[text[0] - 'a'];
}
// case: the result of a search that may have found nothing
struct table { const char **names; int count; };
static int place_of(const struct table *table, const char *name)
{
    for (int i = 0; i < table->count; i++)
        if (table->names[i] == name)
            return i;
    return -1;
}
const char *value(const struct table *table, const char **values, const char *name)
{
    int place = place_of(table, name);
    return values[place]; // expect: c/out-of-bounds-read
}
const char *value_or_none(const struct table *table, const char **values, const char *name)
{
    int place = place_of(table, name);
    return place == -1 ? "" : values[place];
}
const char *value_or_first(const struct table *table, const char **values, const char *name)
{
    int place;
    if ((place = place_of(table, name)) < 0)
        place = 0;
    return values[place];
}
// case: results that are NULL on one side of a conditional
#include <stdlib.h>
extern int full(void);
static char *reserve(size_t n) { return full() ? NULL : malloc(n); }
void mark(void)
{
    char *place = reserve(8);
    place[0] = 'x'; // expect: c/null-dereference
}
void checked_mark(void)
{
    char *place = reserve(8);
    if (place != NULL)
        place[0] = 'x';
}
// case: lengths that a message says of itself
#include <stddef.h>
#include <stdint.h>
unsigned sum(const uint8_t *file, size_t size)
{
    unsigned total = 0;
    size_t items;
    if (size < 4)
        return 0;
    items = (size_t)(file[0] | file[1] << 8) * (size_t)(file[2] | file[3] << 8);
    for (size_t i = 0; i < items; i++)
        total += file[4 + i]; // expect: c/out-of-bounds-read
    return total;
}
unsigned pairs(const uint8_t *record, size_t got)
{
    unsigned total = 0;
    if (got < 2)
        return 0;
    for (size_t i = 2; i + 1 < record[0]; i += 2)
        total += record[i]; // expect: c/out-of-bounds-read
    return total;
}
int port(const uint8_t *packet, size_t captured)
{
    size_t header;
    if (captured < 20)
        return -1;
    header = (packet[0] & 15) * 4u;
    return packet[header]; // expect: c/out-of-bounds-read
}
// case: lengths in a message that are compared with its size
#include <stddef.h>
#include <stdint.h>
unsigned sum(const uint8_t *file, size_t size)
{
    unsigned total = 0;
    size_t items;
    if (size < 4)
        return 0;
    items = (size_t)(file[0] | file[1] << 8) * (size_t)(file[2] | file[3] << 8);
    if (items > size - 4)
        return 0;
    for (size_t i = 0; i < items; i++)
        total += file[4 + i];
    return total;
}
unsigned pairs(const uint8_t *record, size_t got)
{
    unsigned total = 0;
    if (got < 2)
        return 0;
    for (size_t i = 2; i + 1 < got && i + 1 < record[0]; i += 2)
        total += record[i];
    return total;
}
int port(const uint8_t *packet, size_t captured)
{
    size_t header;
    if (captured < 60)
        return -1;
    header = (packet[0] & 15) * 4u;
    return packet[header];
}
// case: texts without an end
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
int asks(int sock)
{
    char text[8];
    if (recv(sock, text, sizeof text, 0) <= 0)
        return 0;
    text[strcspn(text, "\r\n")] = '\0'; // expect: c/out-of-bounds-read
    return strcmp(text, "ask") == 0;
}
int is_deep(const char *link)
{
    char target[64];
    if (readlink(link, target, sizeof(target)) < 0)
        return 0;
    return strrchr(target, '/') != NULL; // expect: c/out-of-bounds-read
}
int is_deep_with_end(const char *link)
{
    char target[64];
    ssize_t len = readlink(link, target, sizeof(target) - 1);
    if (len < 0)
        return 0;
    target[len] = '\0';
    return strrchr(target, '/') != NULL;
}
// case: wide characters, distances and leaps
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
size_t wide(const char *title)
{
    wchar_t out[16];
    return mbstowcs(out, title, sizeof out); // expect: c/out-of-bounds-write
}
size_t wide_in_items(const char *title)
{
    wchar_t out[16];
    return mbstowcs(out, title, sizeof out / sizeof out[0]);
}
struct token { const char *start, *end; };
char *copy(const struct token *token)
{
    size_t length = (size_t)(token->end - token->start);
    char *text = malloc(length);
    if (text == NULL)
        return NULL;
    memcpy(text, token->start, length);
    text[length] = '\0'; // expect: c/out-of-bounds-write
    return text;
}
char *copy_with_end(const struct token *token)
{
    size_t length = (size_t)(token->end - token->start);
    char *text = malloc(length + 1);
    if (text == NULL)
        return NULL;
    memcpy(text, token->start, length);
    text[length] = '\0';
    return text;
}
const char *behind(const char *s)
{
    while (*s != '\0' && *s != '"')
        s += *s == '\\' ? 2 : 1; // expect: c/out-of-bounds-read
    return s;
}
const char *behind_or_end(const char *s)
{
    while (*s != '\0' && *s != '"')
        s += *s == '\\' && s[1] != '\0' ? 2 : 1;
    return s;
}
