// case: the number of places is given and not used
#include <string.h>
int split(char *line, char **words, int max)
{
    int count = 0;
    char *word = strtok(line, " ");
    (void)max;
    while (word != NULL) {
        words[count++] = word;  // expect: c/out-of-bounds-write
        word = strtok(NULL, " ");
    }
    return count;
}

// case: a number from zero may equal the number of places
#include <string.h>
int split(char *line, char **words, int max)
{
    int count = 0;
    char *word = strtok(line, " ");
    while (word != NULL && count <= max) {
        words[count++] = word;  // expect: c/out-of-bounds-write
        word = strtok(NULL, " ");
    }
    return count;
}

// case: a number from zero is less than the number of places
#include <string.h>
int split(char *line, char **words, int max)
{
    int count = 0;
    char *word = strtok(line, " ");
    while (word != NULL && count < max) {
        words[count++] = word;
        word = strtok(NULL, " ");
    }
    return count;
}

// case: a pointer is compared with the end
#include <string.h>
int split(char *line, char **words, int max)
{
    char **at = words, **end = words + max;
    for (char *w = strtok(line, " "); w && at < end; w = strtok(NULL, " "))
        *at++ = w;
    return at - words;
}

// case: places counted from one
void heap_fill(int *heap, int size, int value)
{
    int i = 1;
    while (i <= size) {
        heap[i] = value;
        i++;
    }
}

// case: places counted from zero up to the size
void fill(int *items, int size, int value)
{
    int i = 0;
    while (i <= size) {
        items[i] = value;  // expect: c/out-of-bounds-write
        i++;
    }
}

// case: a place is counted in a statement of its own
#include <string.h>
int split(char *line)
{
    char *words[16];
    int count = 0;
    char *word = strtok(line, " ");
    while (word != NULL) {
        words[count] = word;  // expect: c/out-of-bounds-write
        count++;
        word = strtok(NULL, " ");
    }
    return count ? words[0][0] : 0;
}

// case: letters of a text of any length
void first_word(const char *s, void (*show)(const char *))
{
    char word[32];
    int i = 0;
    while (s[i] != ' ' && s[i] != '\0') {
        word[i] = s[i];  // expect: c/out-of-bounds-write
        i++;
    }
    word[i] = '\0';
    show(word);
}

// case: letters of a text as long as there is room
void first_word(const char *s, void (*show)(const char *))
{
    char word[32];
    int i = 0;
    while (i < 31 && s[i] != ' ' && s[i] != '\0') {
        word[i] = s[i];
        i++;
    }
    word[i] = '\0';
    show(word);
}

// case: every letter of a text of any length
#include <ctype.h>
void upper(const char *name, void (*show)(const char *))
{
    char out[32];
    int i;
    for (i = 0; name[i]; i++)
        out[i] = toupper((unsigned char)name[i]);  // expect: c/out-of-bounds-write
    out[i] = 0;
    show(out);
}

// case: every letter of a measured text
#include <ctype.h>
#include <string.h>
void upper(const char *name, void (*show)(const char *))
{
    char out[32];
    int i;
    if (strlen(name) >= sizeof out)
        return;
    for (i = 0; name[i]; i++)
        out[i] = toupper((unsigned char)name[i]);
    out[i] = 0;
    show(out);
}

// case: a table with an end mark
static struct { const char *name; int seen; } table[3] = { { "a", 0 }, { "b", 0 }, { 0, 0 } };
void clear(void)
{
    int i = 0;
    while (table[i].name) {
        table[i].seen = 0;
        i++;
    }
}

// case: a table beside one with an end mark
static const char *const names[] = { "a", "b", 0 };
static int seen[3];
void clear(void)
{
    int i;
    for (i = 0; names[i]; i++)
        seen[i] = 0;
}

// case: digits of a number that a function makes smaller
typedef struct { unsigned char b[8]; } wide;
int is_zero(wide *n);
int divide(wide *n);
void ascii(wide n, void (*put)(int))
{
    char buf[32];
    int count = 0;
    while (!is_zero(&n)) {
        buf[count] = '0' + divide(&n);
        count++;
    }
    while (count > 0)
        put(buf[--count]);
}

// case: a parameter with a size, and a limit that comes after the loop
#include <ctype.h>
#include <string.h>

#define KEY_BYTES 32

static int nibble(int c)
{
    return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

int parse_key(const char *hex, unsigned char key[KEY_BYTES])
{
    int n = 0;
    while (isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1])) {
        key[n++] = (unsigned char)(nibble(hex[0]) << 4 | nibble(hex[1]));  // expect: c/out-of-bounds-write
        hex += 2;
    }
    return n == KEY_BYTES ? 0 : -1;
}

// case: a parameter with a size, and its limit
#include <ctype.h>
#include <string.h>

#define KEY_BYTES 32

static int nibble(int c)
{
    return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

int parse_key(const char *hex, unsigned char key[KEY_BYTES])
{
    int n = 0;
    while (n < KEY_BYTES && isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1])) {
        key[n++] = (unsigned char)(nibble(hex[0]) << 4 | nibble(hex[1]));
        hex += 2;
    }
    return n == KEY_BYTES ? 0 : -1;
}

// case: digits into a parameter with a size
void digits_of(unsigned value, char out[11])
{
    int n = 0;
    do {
        out[n++] = '0' + value % 10;
        value /= 10;
    } while (value);
    out[n] = '\0';
}

// case: a counted loop into a parameter with a size
void copy_all(const char *s, char out[16])
{
    int n = 0;
    for (int i = 0; i < 16; i++)
        out[n++] = s[i];
}

// case: two letters may be written for one comparison
#include <stddef.h>
size_t quote(const char *in, char *out, size_t size)
{
    size_t n = 0;
    out[n++] = '"';
    for (; *in && n < size; in++) {
        if (*in == '"')
            out[n++] = '\\';
        out[n++] = *in;  // expect: c/out-of-bounds-write
    }
    out[n++] = '"';
    out[n] = '\0';
    return n;
}

// case: two letters may be written, and there is room for them
#include <stddef.h>
size_t quote(const char *in, char *out, size_t size)
{
    size_t n = 0;
    if (size < 5)
        return 0;
    out[n++] = '"';
    for (; *in && n < size - 4; in++) {
        if (*in == '"')
            out[n++] = '\\';
        out[n++] = *in;
    }
    out[n++] = '"';
    out[n] = '\0';
    return n;
}

// case: one place is kept for the second letter
#include <stddef.h>
size_t quote(const char *in, char *out, size_t size)
{
    size_t n = 0;
    for (; *in && n < size - 1; in++) {
        if (*in == '"')
            out[n++] = '\\';
        out[n++] = *in;
    }
    return n;
}

// case: two letters a turn into an even number of places
static const char digits[] = "0123456789abcdef";
int hex(const unsigned char *in, char out[64])
{
    char text[64];
    int n = 0;
    while (n < 64) {
        text[n++] = digits[*in >> 4];
        text[n++] = digits[*in++ & 15];
    }
    for (n = 0; n < 64; n++)
        out[n] = text[n];
    return n;
}

// case: bytes are read on although their number is not used
#include <stdint.h>
#include <stddef.h>

uint32_t utf8_next(const unsigned char *s, size_t len, size_t *pos)
{
    unsigned char c = s[(*pos)++];  // expect: c/out-of-bounds-read
    if (c < 0x80)
        return c;
    if ((c & 0xe0) == 0xc0)
        return (uint32_t)(c & 0x1f) << 6 | (s[(*pos)++] & 0x3f);
    if ((c & 0xf0) == 0xe0) {
        uint32_t r = (uint32_t)(c & 0x0f) << 12;
        r |= (uint32_t)(s[(*pos)++] & 0x3f) << 6;
        r |= s[(*pos)++] & 0x3f;
        return r;
    }
    return 0xfffd;
}

// case: bytes are read on where there are some
#include <stdint.h>
#include <stddef.h>

uint32_t utf8_next(const unsigned char *s, size_t len, size_t *pos)
{
    if (*pos >= len)
        return 0;
    unsigned char c = s[(*pos)++];
    if (c < 0x80)
        return c;
    if ((c & 0xe0) == 0xc0 && *pos < len)
        return (uint32_t)(c & 0x1f) << 6 | (s[(*pos)++] & 0x3f);
    if ((c & 0xf0) == 0xe0 && len - *pos >= 2) {
        uint32_t r = (uint32_t)(c & 0x0f) << 12;
        r |= (uint32_t)(s[(*pos)++] & 0x3f) << 6;
        r |= s[(*pos)++] & 0x3f;
        return r;
    }
    return 0xfffd;
}

// case: a text with an end although its length is given
#include <stddef.h>
int spaces(const char *s, size_t len)
{
    int n = 0, i = 0;
    (void)len;
    while (s[i])
        n += s[i++] == ' ';
    return n;
}
