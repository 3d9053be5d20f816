// case: a loop up to and with the number of elements
#include <stddef.h>
struct item { int id; };
struct list { struct item *items; size_t count; };
int total(const struct list *l)
{
    int sum = 0;
    for (size_t i = 0; i <= l->count; i++)
        sum += l->items[i].id;  // expect: c/out-of-bounds-read
    return sum;
}

// case: a loop below the number of elements
#include <stddef.h>
struct item { int id; };
struct list { struct item *items; size_t count; };
int total(const struct list *l)
{
    int sum = 0;
    for (size_t i = 0; i < l->count; i++)
        sum += l->items[i].id;
    return sum;
}

// case: a place that may equal the number of elements
#include <stddef.h>
struct queue { double waits[16]; size_t len; };
double wait_of(const struct queue *q, size_t place)
{
    if (place > q->len)
        return -1.0;
    return q->waits[place];  // expect: c/out-of-bounds-read
}

// case: a place below the number of elements
#include <stddef.h>
struct queue { double waits[16]; size_t len; };
double wait_of(const struct queue *q, size_t place)
{
    if (place >= q->len)
        return -1.0;
    return q->waits[place];
}

// case: elements counted from one
#include <stddef.h>
struct heap { int *keys; size_t count; };
int largest(const struct heap *h, size_t place)
{
    int best = 0;
    for (size_t i = 1; i <= h->count; i++)
        best = h->keys[i] > best ? h->keys[i] : best;
    if (place < 1 || place > h->count)
        return best;
    return h->keys[place];
}

// case: an element put in at the end
#include <stddef.h>
struct list { int *items; size_t count; size_t cap; };
int insert(struct list *l, size_t at, int item)
{
    if (at > l->count || l->count == l->cap)
        return -1;
    for (size_t i = l->count; i > at; i--)
        l->items[i] = l->items[i - 1];
    l->items[at] = item;
    l->count++;
    return 0;
}

// case: a text with its end
#include <stddef.h>
struct line { char text[80]; size_t len; };
void copy(const struct line *l, char *out)
{
    for (size_t i = 0; i <= l->len; i++)
        out[i] = l->text[i];
}

// case: a place counted from one, made one from zero
#include <stddef.h>
struct list { int *items; size_t count; };
int nth(const struct list *l, size_t n)
{
    if (l->count == 0 || n > l->count)
        return 0;
    n--;
    return l->items[n];
}

// case: the number of elements is told apart
#include <stddef.h>
struct list { int *items; size_t count; };
int at(const struct list *l, size_t n)
{
    if (n > l->count || n == l->count)
        return 0;
    return l->items[n];
}

// case: a second bound, a number
#include <stddef.h>
struct list { int items[8]; size_t count; };
int first_of(const struct list *l)
{
    int sum = 0;
    size_t i = 0;
    while (i <= l->count && i < 8)
        sum += l->items[i++];
    return sum;
}

// case: a table that ends with NULL
#include <stddef.h>
struct table { char **names; size_t count; };
size_t filled(const struct table *t)
{
    size_t found = 0;
    for (size_t i = 0; i <= t->count; i++)
        if (t->names[i] != NULL)
            found++;
    return found;
}

// case: offsets of rows, one more than there are rows
#include <stddef.h>
struct matrix { size_t *row_ptr; size_t row_count; };
size_t total(const struct matrix *m)
{
    size_t sum = 0;
    for (size_t i = 0; i <= m->row_count; i++)
        sum += m->row_ptr[i];
    return sum;
}

// case: memory for one element more than there are
#include <stdlib.h>
struct graph { int *starts; int nodes_count; };
int graph_init(struct graph *g, int nodes)
{
    g->starts = calloc((size_t)nodes + 1, sizeof *g->starts);
    g->nodes_count = nodes;
    return g->starts == NULL ? -1 : 0;
}
int edges(const struct graph *g)
{
    int sum = 0;
    for (int i = 0; i <= g->nodes_count; i++)
        sum += g->starts[i];
    return sum;
}
