// case: the last letter is looked at before the length
void trim(char *text, int length)
{
    while (text[length - 1] == ' ' && length > 0)  // expect: c/out-of-bounds-read
        length--;
    text[length] = '\0';
}

// case: the length is looked at before the last letter
void trim(char *text, int length)
{
    while (length > 0 && text[length - 1] == ' ')
        length--;
    text[length] = '\0';
}

// case: the length is looked at before and after
int trailing(const char *text, int length)
{
    while (length > 0 && text[length - 1] == ' ' && length > 0)
        length--;
    return length;
}

// case: the length is looked at in the body
int trailing(const char *text, int length)
{
    if (length <= 0)
        return 0;
    while (text[length - 1] == ' ') {
        if (--length == 0)
            break;
    }
    return length;
}

// case: a length of zero passes
void trim(char *text, int length)
{
    while (length >= 0 && text[length - 1] == ' ')  // expect: c/out-of-bounds-read
        length--;
    text[length] = '\0';
}

// case: a place of zero passes in a sort
void sort(int *a, int n)
{
    for (int i = 1; i < n; i++) {
        int v = a[i], j = i;
        while (j >= 0 && a[j - 1] > v) {  // expect: c/out-of-bounds-read
            a[j] = a[j - 1];
            j--;
        }
        a[j] = v;
    }
}

// case: a place of zero ends a sort
void sort(int *a, int n)
{
    for (int i = 1; i < n; i++) {
        int v = a[i], j = i;
        while (j > 0 && a[j - 1] > v) {
            a[j] = a[j - 1];
            j--;
        }
        a[j] = v;
    }
}

// case: from the last element to the first
int largest(const int *a, int n)
{
    int i = n - 1;
    while (i >= 0 && a[i] < 0)
        i--;
    return i;
}

// case: a count made smaller before its element is read
int sum(const int *a, int n)
{
    int s = 0;
    while (n > 0) {
        n--;
        s += a[n];
    }
    return s;
}

// case: an unsigned place is never less than zero
#include <stddef.h>
long last_comma(const char *text, size_t length)
{
    for (size_t i = length - 1; i >= 0; i--)
        if (text[i] == ',')  // expect: c/out-of-bounds-read
            return (long)i;
    return -1;
}

// case: an unsigned place stops at zero
#include <stddef.h>
long last_comma(const char *text, size_t length)
{
    for (size_t i = length; i-- > 0;)
        if (text[i] == ',')
            return (long)i;
    return -1;
}

// case: an unsigned place leaves the loop at zero
#include <stddef.h>
long last(const char *t, size_t n)
{
    if (n == 0)
        return -1;
    for (size_t i = n - 1; i >= 0; i--) {
        if (t[i] == ',')
            return (long)i;
        if (i == 0)
            break;
    }
    return -1;
}

// case: a signed place may be less than zero
#include <stddef.h>
long last_comma(const char *text, int length)
{
    for (int i = length - 1; i >= 0; i--)
        if (text[i] == ',')
            return (long)i;
    return -1;
}

// case: an element behind the end is read before the comparison
static int slots[20];
int first_free(void)
{
    int i = 0;
    while (slots[i] != 0 && i < 20)  // expect: c/out-of-bounds-read
        i++;
    return i;
}

// case: an array with one element more than the limit
static int slots[21];
int first_free(void)
{
    int i = 0;
    while (slots[i] != 0 && i < 20)
        i++;
    return i;
}

// case: the end of a text is read before the comparison
#include <string.h>
int word(const char *s)
{
    int n = strlen(s), i = 0;
    while (s[i] != ' ' && i < n)
        i++;
    return i;
}

// case: a row behind a table in a struct is read before the comparison
#define W 10
#define H 20
typedef struct { char cell[H][W]; } Board;
int Board_Drop(Board *b, int x, char piece)
{
    int y = 0;
    while (b->cell[y][x] == 0 && y <= H)  // expect: c/out-of-bounds-read
        y++;
    b->cell[y - 1][x] = piece;
    return y;
}

// case: a row of a table in a struct after the comparison
#define W 10
#define H 20
struct board { char cell[H][W]; };
int filled(const struct board *b, int x)
{
    int y = 0;
    if (x < 0 || x >= W)
        return -1;
    while (y < H && b->cell[y][x] != 0)
        y++;
    return y;
}

// case: neighbours are compared up to the last element
#include <stdbool.h>
bool has_twins(const int *v, int count)
{
    for (int i = 0; i < count; ++i)
        if (v[i] == v[i + 1])  // expect: c/out-of-bounds-read
            return true;
    return false;
}

// case: neighbours are compared up to the last but one
#include <stdbool.h>
bool has_twins(const int *v, int count)
{
    for (int i = 0; i + 1 < count; ++i)
        if (v[i] == v[i + 1])
            return true;
    return false;
}

// case: a search for an end mark
int last_before(const int *marks, int count)
{
    for (int i = 0; i < count; i++)
        if (marks[i + 1] == 0)
            return i;
    return -1;
}

// case: the remainder of a difference
#define LAMPS 12
static int brightness[LAMPS];
int lamp_before(int lamp, int steps)
{
    return brightness[(lamp - steps) % LAMPS];  // expect: c/out-of-bounds-read
}

// case: the remainder of a difference, made positive
#define LAMPS 12
static int brightness[LAMPS];
int lamp_before(int lamp, int steps)
{
    return brightness[((lamp - steps) % LAMPS + LAMPS) % LAMPS];
}

// case: the remainder of an unsigned difference
#define LAMPS 12
static int brightness[LAMPS];
int lamp_before(unsigned lamp, unsigned steps)
{
    return brightness[(lamp - steps) % LAMPS];
}

// case: the remainder of a difference with a member
#define SLOTS 8
struct ring { int items[SLOTS]; int head; };
void ring_back(struct ring *r, int steps, int value)
{
    int at = (r->head - steps) % SLOTS;
    r->items[at] = value;  // expect: c/out-of-bounds-write
}

// case: a remainder corrected where it is negative
#define SLOTS 8
struct ring { int items[SLOTS]; int head; };
void ring_back(struct ring *r, int steps, int value)
{
    int at = (r->head - steps) % SLOTS;
    if (at < 0)
        at += SLOTS;
    r->items[at] = value;
}

// case: the size is added before the remainder
#define SLOTS 8
struct ring { int items[SLOTS]; int head; };
void ring_back(struct ring *r, int value)
{
    r->items[(r->head - 1 + SLOTS) % SLOTS] = value;
}

// case: a difference of numbers that were compared
#define N 16
static int hours[N];
int hours_between(int from, int to)
{
    if (from < to)
        return 0;
    return hours[(from - to) % N];
}

// case: a difference of numbers that an assertion compares
#include <assert.h>
#define N 16
static int hours[N];
int hours_between(int from, int to)
{
    assert(from >= to);
    return hours[(from - to) % N];
}

// case: the place before in a loop from one
#define N 16
static int hours[N];
int sum(int count)
{
    int s = 0;
    for (int i = 1; i < count; i++)
        s += hours[(i - 1) % N];
    return s;
}

// case: the place before in a loop from zero
#define N 16
static int hours[N];
int sum(int count)
{
    int s = 0;
    for (int i = 0; i < count; i++)
        s += hours[(i - 1) % N];  // expect: c/out-of-bounds-read
    return s;
}

// case: a remainder corrected in the index
#define N 16
static int hours[N];
int before(int hour, int steps)
{
    int at = (hour - steps) % N;
    return hours[at < 0 ? at + N : at];
}

// case: a remainder corrected by a choice
#define N 16
static int hours[N];
int before(int hour, int steps, int n)
{
    int at = (hour - steps) % n;
    at = at < 0 ? at + n : at;
    return hours[at];
}

// case: a remainder corrected in a loop
#define N 16
static int hours[N];
int before(int hour, int steps)
{
    int at = (hour - steps) % N;
    while (at < 0)
        at += N;
    return hours[at];
}

// case: the remainder of a time
#include <time.h>
static const char *const names[7] = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" };
const char *weekday(time_t start)
{
    time_t now = time(NULL);
    return names[((now - start) / 86400) % 7];
}

// case: a call looks at the last letter before the length
#include <ctype.h>
#include <string.h>
void rtrim(char *s)
{
    size_t n = strlen(s);
    while (isspace((unsigned char)s[n - 1]) && n > 0)  // expect: c/out-of-bounds-read
        s[--n] = '\0';
}

// case: a call looks at the last letter after the length
#include <ctype.h>
#include <string.h>
void rtrim(char *s)
{
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1]))
        s[--n] = '\0';
}

// case: the letter before a pointer is read before the comparison
#include <ctype.h>
#include <string.h>
void rtrim(char *s)
{
    char *end = s + strlen(s);
    while (isspace((unsigned char)end[-1]) && end > s)  // expect: c/out-of-bounds-read
        end--;
    *end = '\0';
}

// case: the letter before a pointer is read after the comparison
#include <ctype.h>
#include <string.h>
void rtrim(char *s)
{
    char *end = s + strlen(s);
    while (end > s && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
}

// case: the letter at a pointer that may be before the start
void rtrim(char *s, char *end)
{
    while (*end == ' ' && end >= s)  // expect: c/out-of-bounds-read
        end--;
    end[1] = '\0';
}

// case: a pointer that stops at the start
#include <string.h>
void chomp(char *s)
{
    if (*s == '\0')
        return;
    char *end = s + strlen(s) - 1;
    while (*end == '\n' && end > s)
        *end-- = '\0';
}

// case: a list whose end is NULL
struct item { struct item *previous; int used; };
struct item *last_used(struct item *at)
{
    while (at->used == 0 && at->previous != 0)
        at = at->previous;
    return at;
}

// case: the last letter of a text that may be empty
#include <string.h>
void chomp(char *s)
{
    char *end = s + strlen(s) - 1;  // expect: c/out-of-bounds-read
    if (*end == '\n')
        *end = '\0';
}

// case: the last letter of a text, compared with its start
#include <string.h>
void chomp(char *s)
{
    char *end = s + strlen(s) - 1;
    if (end >= s && *end == '\n')
        *end = '\0';
}

// case: a byte is read before the comparison with the end
#include <stdint.h>
#include <stddef.h>
size_t line_length(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    while (*p != '\n' && p < end)  // expect: c/out-of-bounds-read
        p++;
    return p - start;
}

// case: a byte is read after the comparison with the end
#include <stdint.h>
#include <stddef.h>
size_t line_length(const uint8_t *p, const uint8_t *end)
{
    const uint8_t *start = p;
    while (p < end && *p != '\n')
        p++;
    return p - start;
}

// case: the remainder of a signed hash
#include <string.h>
#define BUCKETS 64
struct node { struct node *next; char key[20]; };
static struct node *table[BUCKETS];
void insert(struct node *n)
{
    int h = 0;
    for (const char *p = n->key; *p; p++)
        h = h * 31 + *p;
    n->next = table[h % BUCKETS];  // expect: c/out-of-bounds-read
    table[h % BUCKETS] = n;  // expect: c/out-of-bounds-write
}

// case: the remainder of an unsigned hash
#include <string.h>
#define BUCKETS 64
struct node { struct node *next; char key[20]; };
static struct node *table[BUCKETS];
void insert(struct node *n)
{
    unsigned h = 0;
    for (const char *p = n->key; *p; p++)
        h = h * 31 + (unsigned char)*p;
    n->next = table[h % BUCKETS];
    table[h % BUCKETS] = n;
}

// case: the remainder of a signed hash without its sign
static int seen[64];
int hit(const char *p)
{
    int h = 0;
    while (*p)
        h = (h * 31 + *p++) & 0x7fffffff;
    return seen[h % 64];
}

// case: the remainder of a hash that stays small
static int seen[64];
int hit(const char *p)
{
    int h = 0;
    while (*p)
        h = (h * 31 + *p++ % 16) % 64;
    return seen[h % 64];
}

// case: the remainder of a hash that is made positive
#include <stdlib.h>
static int seen[64];
int hit(const unsigned char *p)
{
    int h = 0;
    while (*p)
        h = h * 31 + *p++;
    if (h < 0)
        h = -(h + 1);
    return seen[h % 64];
}

// case: the remainder of a signed parameter
static const char *const names[5] = { "a", "b", "c", "d", "e" };
const char *name_of(int id)
{
    return names[id % 5];  // expect: c/out-of-bounds-read
}

// case: the remainder of an unsigned parameter
static const char *const names[5] = { "a", "b", "c", "d", "e" };
const char *name_of(unsigned id)
{
    return names[id % 5];
}

// case: the remainder of a parameter that was compared
static const char *const names[5] = { "a", "b", "c", "d", "e" };
const char *name_of(int id)
{
    if (id < 0)
        return "";
    return names[id % 5];
}

// case: the remainder of a counter
static const char *const colours[3] = { "red", "green", "blue" };
const char *colour(int rows, int *count)
{
    int n = 0;
    for (int i = 0; i < rows; i++)
        n += colours[i % 3][0] == 'r';
    *count = n;
    return colours[0];
}

// case: a remainder in a function that only the file calls
static const char *const names[5] = { "a", "b", "c", "d", "e" };
static const char *name_of(int id)
{
    return names[id % 5];
}
const char *first(void)
{
    return name_of(0);
}
