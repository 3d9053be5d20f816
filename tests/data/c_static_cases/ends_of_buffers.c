// case: hexadecimal digits into an array without room for the end
#include <stdio.h>
#include <stdint.h>

void print_digest(const uint8_t digest[32])
{
    char hex[64];
    for (int i = 0; i < 32; i++)
        sprintf(hex + 2 * i, "%02x", digest[i]); // expect: c/out-of-bounds-write
    printf("%.64s\n", hex);
}
// case: hexadecimal digits into an array without room for the end, done right
#include <stdio.h>
#include <stdint.h>

void print_digest(const uint8_t digest[32])
{
    char hex[65];
    for (int i = 0; i < 32; i++)
        sprintf(hex + 2 * i, "%02x", digest[i]);
    printf("%.64s\n", hex);
}
// case: hexadecimal digits into a block without room for the end
#include <stdio.h>
#include <stdlib.h>

char *to_hex(const unsigned char *in, size_t n)
{
    char *hex = malloc(n * 2);
    if (!hex)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sprintf(&hex[i * 2], "%02x", in[i]); // expect: c/out-of-bounds-write
    return hex;
}
// case: hexadecimal digits into a block without room for the end, done right
#include <stdio.h>
#include <stdlib.h>

char *to_hex(const unsigned char *in, size_t n)
{
    char *hex = malloc(n * 2 + 1);
    if (!hex)
        return NULL;
    for (size_t i = 0; i < n; i++)
        sprintf(&hex[i * 2], "%02x", in[i]);
    return hex;
}
// case: neighbours of the last element
#include <stddef.h>

int count_rises(const int *values, size_t count)
{
    int rises = 0;
    for (size_t i = 0; i < count; i++) {
        if (values[i + 1] > values[i]) // expect: c/out-of-bounds-read
            rises++;
    }
    return rises;
}
// case: neighbours of the last element, done right
#include <stddef.h>

int count_rises(const int *values, size_t count)
{
    int rises = 0;
    for (size_t i = 0; i + 1 < count; i++) {
        if (values[i + 1] > values[i])
            rises++;
    }
    return rises;
}
// case: neighbours on both sides
#include <stddef.h>

void smooth(const double *in, double *out, size_t n)
{
    for (size_t i = 1; i < n; i++)
        out[i] = (in[i - 1] + in[i] + in[i + 1]) / 3.0; // expect: c/out-of-bounds-read
}
// case: neighbours on both sides, done right
#include <stddef.h>

void smooth(const double *in, double *out, size_t n)
{
    for (size_t i = 1; i + 1 < n; i++)
        out[i] = (in[i - 1] + in[i] + in[i + 1]) / 3.0;
}
// case: the byte behind the last one of a buffer
#include <stddef.h>
#include <stdint.h>

size_t count_two_byte(const uint8_t *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if ((s[i] & 0xe0) == 0xc0 && (s[i + 1] & 0xc0) == 0x80) // expect: c/out-of-bounds-read
            n++;
    }
    return n;
}
// case: the byte behind the last one of a buffer, done right
#include <stddef.h>
#include <stdint.h>

size_t count_two_byte(const uint8_t *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        if ((s[i] & 0xe0) == 0xc0 && i + 1 < len && (s[i + 1] & 0xc0) == 0x80)
            n++;
    }
    return n;
}
// case: the end written behind a full buffer
#include <stdio.h>

int read_word(FILE *in, char *out, int size)
{
    int c, n = 0;
    while ((c = fgetc(in)) != EOF && c != ' ' && n < size)
        out[n++] = (char)c;
    out[n] = '\0'; // expect: c/out-of-bounds-write
    return n;
}
// case: the end written behind a full buffer, done right
#include <stdio.h>

int read_word(FILE *in, char *out, int size)
{
    int c, n = 0;
    while ((c = fgetc(in)) != EOF && c != ' ' && n < size - 1)
        out[n++] = (char)c;
    out[n] = '\0';
    return n;
}
// case: the end of a link that fills the buffer
#include <unistd.h>
#include <stdio.h>
#include <limits.h>

int self_path(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    if (n < 0)
        return -1;
    path[n] = '\0'; // expect: c/out-of-bounds-write
    puts(path);
    return 0;
}
// case: the end of a link that fills the buffer, done right
#include <unistd.h>
#include <stdio.h>
#include <limits.h>

int self_path(void)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n < 0)
        return -1;
    path[n] = '\0';
    puts(path);
    return 0;
}
// case: a length that may equal the size of the output
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int split_hostport(const char *spec, char *host, size_t host_size, int *port)
{
    const char *colon = strrchr(spec, ':');
    if (colon == NULL)
        return -1;
    size_t n = colon - spec;
    if (n > host_size)
        return -1;
    memcpy(host, spec, n);
    host[n] = '\0'; // expect: c/out-of-bounds-write
    *port = atoi(colon + 1);
    return 0;
}
// case: a length that may equal the size of the output, done right
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int split_hostport(const char *spec, char *host, size_t host_size, int *port)
{
    const char *colon = strrchr(spec, ':');
    if (colon == NULL)
        return -1;
    size_t n = colon - spec;
    if (n >= host_size)
        return -1;
    memcpy(host, spec, n);
    host[n] = '\0';
    *port = atoi(colon + 1);
    return 0;
}
// case: the distance of two found places as a length
#include <string.h>

struct fix { char status; char lat[12]; char lon[13]; };

int parse_nmea(const char *line, struct fix *fix)
{
    const char *comma = strchr(line, ',');
    if (comma == NULL)
        return -1;
    const char *end = strchr(comma + 1, ',');
    if (end == NULL)
        return -1;
    size_t n = (size_t)(end - comma - 1);
    memcpy(fix->lat, comma + 1, n); // expect: c/out-of-bounds-write
    fix->lat[n] = '\0';
    return 0;
}
// case: the distance of two found places as a length, done right
#include <string.h>

struct fix { char status; char lat[12]; char lon[13]; };

int parse_nmea(const char *line, struct fix *fix)
{
    const char *comma = strchr(line, ',');
    if (comma == NULL)
        return -1;
    const char *end = strchr(comma + 1, ',');
    if (end == NULL)
        return -1;
    size_t n = (size_t)(end - comma - 1);
    if (n >= sizeof fix->lat)
        return -1;
    memcpy(fix->lat, comma + 1, n);
    fix->lat[n] = '\0';
    return 0;
}
// case: a text at the end of a struct without room for its end
#include <stdlib.h>
#include <string.h>

struct msg { size_t len; char body[]; };

struct msg *msg_new(const char *text)
{
    size_t len = strlen(text);
    struct msg *m = malloc(sizeof(struct msg) + len);
    if (m == NULL)
        return NULL;
    m->len = len;
    strcpy(m->body, text); // expect: c/out-of-bounds-write
    return m;
}
// case: a text at the end of a struct without room for its end, done right
#include <stdlib.h>
#include <string.h>

struct msg { size_t len; char body[]; };

struct msg *msg_new(const char *text)
{
    size_t len = strlen(text);
    struct msg *m = malloc(sizeof(struct msg) + len + 1);
    if (m == NULL)
        return NULL;
    m->len = len;
    strcpy(m->body, text);
    return m;
}
// case: pointers gathered in an array of a struct
#include <stdio.h>
#include <string.h>

#define MAX_COLS 8

struct row { char *cols[MAX_COLS]; int n; };

int split_row(char *line, struct row *row)
{
    row->n = 0;
    for (char *p = strtok(line, ","); p != NULL; p = strtok(NULL, ",")) {
        row->cols[row->n++] = p; // expect: c/out-of-bounds-write
    }
    return row->n;
}
// case: pointers gathered in an array of a struct, done right
#include <stdio.h>
#include <string.h>

#define MAX_COLS 8

struct row { char *cols[MAX_COLS]; int n; };

int split_row(char *line, struct row *row)
{
    row->n = 0;
    for (char *p = strtok(line, ","); p != NULL; p = strtok(NULL, ",")) {
        if (row->n >= MAX_COLS)
            return -1;
        row->cols[row->n++] = p;
    }
    return row->n;
}
// case: words gathered beside a search among them
#include <stdio.h>
#include <string.h>

int count_unique(char *text)
{
    char *seen[32];
    int n = 0;
    char *save = NULL;
    for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
        int i;
        for (i = 0; i < n; i++)
            if (strcmp(seen[i], w) == 0)
                break;
        if (i == n)
            seen[n++] = w; // expect: c/out-of-bounds-write
    }
    return n;
}
// case: words gathered beside a search among them, done right
#include <stdio.h>
#include <string.h>

int count_unique(char *text)
{
    char *seen[32];
    int n = 0;
    char *save = NULL;
    for (char *w = strtok_r(text, " \n", &save); w; w = strtok_r(NULL, " \n", &save)) {
        int i;
        for (i = 0; i < n; i++)
            if (strcmp(seen[i], w) == 0)
                break;
        if (i == n && n < 32)
            seen[n++] = w;
    }
    return n;
}
// case: a count that may equal the number of slots
#include <string.h>

#define MAX_CMDS 16

struct queue { char *cmd[MAX_CMDS]; unsigned count; };

int enqueue(struct queue *q, char *cmd)
{
    if (q->count > MAX_CMDS)
        return -1;
    q->cmd[q->count++] = cmd; // expect: c/out-of-bounds-write
    return 0;
}
// case: a count that may equal the number of slots, done right
#include <string.h>

#define MAX_CMDS 16

struct queue { char *cmd[MAX_CMDS]; unsigned count; };

int enqueue(struct queue *q, char *cmd)
{
    if (q->count >= MAX_CMDS)
        return -1;
    q->cmd[q->count++] = cmd;
    return 0;
}
// case: the last letter of a text that may be empty
#include <string.h>

int ends_with_slash(const char *path)
{
    return path[strlen(path) - 1] == '/'; // expect: c/out-of-bounds-read
}
// case: the last letter of a text that may be empty, done right
#include <string.h>

int ends_with_slash(const char *path)
{
    size_t n = strlen(path);
    return n > 0 && path[n - 1] == '/';
}
// case: a size of the output that is never looked at
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int hex(int c) { return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10; }

int url_decode(const char *in, char *out, size_t out_size)
{
    size_t o = 0;
    for (size_t i = 0; in[i] != '\0'; i++) {
        if (in[i] == '%' && isxdigit((unsigned char)in[i + 1]) && isxdigit((unsigned char)in[i + 2])) {
            out[o++] = (char)(hex(in[i + 1]) * 16 + hex(in[i + 2])); // expect: c/out-of-bounds-write
            i += 2;
        } else {
            out[o++] = in[i];
        }
    }
    out[o] = '\0';
    return (int)o;
}
// case: a size of the output that is never looked at, done right
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int hex(int c) { return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10; }

int url_decode(const char *in, char *out, size_t out_size)
{
    size_t o = 0;
    for (size_t i = 0; in[i] != '\0'; i++) {
        if (o + 1 >= out_size)
            return -1;
        if (in[i] == '%' && isxdigit((unsigned char)in[i + 1]) && isxdigit((unsigned char)in[i + 2])) {
            out[o++] = (char)(hex(in[i + 1]) * 16 + hex(in[i + 2]));
            i += 2;
        } else {
            out[o++] = in[i];
        }
    }
    out[o] = '\0';
    return (int)o;
}
// case: running totals, which have one element more
#include <stddef.h>
void totals(const int *values, int *sums, size_t n)
{
    sums[0] = 0;
    for (size_t i = 0; i < n; i++)
        sums[i + 1] = sums[i] + values[i];
}
// case: a letter behind the last one of a text, which is its end
#include <stddef.h>
size_t escapes(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\\' && text[i + 1] == 'n')
            n++;
    return n;
}
// case: a product of two numbers, which has twice as many digits
#include <stddef.h>
#include <stdint.h>
void double_up(uint32_t *t, const uint32_t *a, size_t n)
{
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++)
        t[i + n] = t[i] * a[i];
    for (size_t i = 0; i < 2 * n; i++) {
        uint32_t next = t[i] >> 31;
        t[i] = (t[i] << 1) | top;
        top = next;
    }
}
