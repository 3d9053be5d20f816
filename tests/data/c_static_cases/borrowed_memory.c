// case: a member of what a helper frees
#include <stdlib.h>
struct fault { int code; char *detail; };
struct query { struct fault *fault; };
static void fault_free(struct fault *f) { free(f->detail); free(f); }
char *query_fault(struct query *q)
{
    char *detail = NULL;
    if (q->fault) {
        detail = q->fault->detail;
        fault_free(q->fault);
        q->fault = NULL;
    }
    return detail;  // expect: c/use-after-free
}

// case: a member that is taken out before a helper frees the rest
#include <stdlib.h>
struct fault { int code; char *detail; };
struct query { struct fault *fault; };
static void fault_free(struct fault *f) { free(f->detail); free(f); }
char *query_fault(struct query *q)
{
    char *detail = NULL;
    if (q->fault) {
        detail = q->fault->detail;
        q->fault->detail = NULL;
        fault_free(q->fault);
        q->fault = NULL;
    }
    return detail;
}

// case: a function of the file returns a member of what is freed
#include <stdlib.h>
#include <string.h>
struct doc { char *title, *text; };
static const char *doc_title(struct doc *d) { return d != NULL ? d->title : NULL; }
static void doc_free(struct doc *d) { if (d != NULL) { free(d->title); free(d->text); free(d); } }
char *title_of(struct doc *d)
{
    const char *title = doc_title(d);
    doc_free(d);
    return strdup(title ? title : "untitled");  // expect: c/use-after-free
}

// case: a copy of a member of what is freed
#include <stdlib.h>
#include <string.h>
struct doc { char *title, *text; };
static const char *doc_title(struct doc *d) { return d != NULL ? d->title : NULL; }
static void doc_free(struct doc *d) { if (d != NULL) { free(d->title); free(d->text); free(d); } }
char *title_of(struct doc *d)
{
    const char *title = doc_title(d);
    char *copy = strdup(title ? title : "untitled");
    doc_free(d);
    return copy;
}

// case: a helper of a helper frees what is read
#include <stdlib.h>
struct node { int value; };
static void node_free(struct node *n) { free(n); }
static void node_drop(struct node *n) { node_free(n); }
int last_value(struct node *n)
{
    node_drop(n);
    return n->value;  // expect: c/use-after-free
}

// case: a helper frees only where a flag of another object says so
#include <stdlib.h>
struct node { int value; };
struct pool { int owns; };
static void node_free(struct node *n) { free(n); }
static void pool_forget(struct pool *p, struct node *n) { if (p->owns) { node_free(n); } }
int drop(struct pool *pool, struct node *n)
{
    pool_forget(pool, n);
    if (!pool->owns)
        node_free(n);
    return 0;
}

// case: a path out of a list that globfree releases
#include <glob.h>
#include <stddef.h>
char *newest_log(const char *pattern)
{
    glob_t found;
    char *newest;
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    newest = found.gl_pathv[found.gl_pathc - 1];
    globfree(&found);
    return newest;  // expect: c/use-after-free
}

// case: a number and a copy out of a list that globfree releases
#include <glob.h>
#include <stdio.h>
#include <string.h>
char *newest_log(const char *pattern)
{
    glob_t found;
    char *newest;
    size_t n;
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    newest = strdup(found.gl_pathv[found.gl_pathc - 1]);
    n = found.gl_pathc;
    globfree(&found);
    printf("%zu logs\n", n);
    return newest;
}

// case: an address that is read after its list was freed
#include <netdb.h>
#include <string.h>
int resolve(const char *host, void *out)
{
    struct addrinfo *info;
    int rc = getaddrinfo(host, NULL, NULL, &info);
    if (rc != 0)
        return rc;
    freeaddrinfo(info);
    memcpy(out, info->ai_addr, 16);  // expect: c/use-after-free
    return 0;
}

// case: only what is not the given object is freed
#include <stdlib.h>
struct image { int n; };
struct image *blurred(struct image *from);
int passes(struct image *image, unsigned n)
{
    struct image *from = image;
    for (unsigned i = 0; i < n; i++) {
        struct image *to = blurred(from);
        if (from != image)
            free(from);
        from = to;
    }
    return image->n;
}

// case: an element of an array that a helper moves
#include <stdlib.h>
struct note { int tick; };
struct track { struct note *notes; size_t count; };
static struct note *track_grow(struct track *t)
{
    t->notes = realloc(t->notes, (t->count + 1) * sizeof(struct note));
    if (t->notes == NULL)
        abort();
    return &t->notes[t->count++];
}
int gap(struct track *track, int tick)
{
    struct note *before = track->count ? &track->notes[track->count - 1] : NULL;
    struct note *note = track_grow(track);
    note->tick = tick;
    return before ? tick - before->tick : 0;  // expect: c/use-after-free
}

// case: an element of an array is taken after a helper moved it
#include <stdlib.h>
struct note { int tick; };
struct track { struct note *notes; size_t count; };
static struct note *track_grow(struct track *t)
{
    t->notes = realloc(t->notes, (t->count + 1) * sizeof(struct note));
    if (t->notes == NULL)
        abort();
    return &t->notes[t->count++];
}
int gap(struct track *track, int tick)
{
    struct note *before = track->notes;
    int first = before->tick;
    struct note *note = track_grow(track);
    note->tick = tick;
    before = &track->notes[0];
    return before->tick - first;
}

// case: the place that a wrapper of realloc returns is dropped
#include <stdlib.h>
static int *grown(int *items, size_t n) { return realloc(items, n * sizeof(*items)); }
void put(int *items, size_t n)
{
    if (n % 16 == 15)
        grown(items, n + 17);
    items[n] = 1;  // expect: c/use-after-free
}

// case: the place that a wrapper of realloc returns is kept
#include <stdlib.h>
static int *grown(int *items, size_t n) { return realloc(items, n * sizeof(*items)); }
int *put(int *items, size_t n)
{
    if (n % 16 == 15)
        items = grown(items, n + 17);
    if (items != NULL)
        items[n] = 1;
    return items;
}

// case: a value is read after its reference was given up
#include <stdlib.h>
struct value { int refs; double number; };
struct machine { struct value *stack[8]; int depth; };
static void value_release(struct value *v) { if (--v->refs == 0) free(v); }
double pop(struct machine *m)
{
    struct value *v = m->stack[--m->depth];
    value_release(v);
    return v->number;  // expect: c/use-after-free
}

// case: a value is read after one of two references was given up
#include <stdlib.h>
struct value { int refs; double number; };
struct machine { struct value *stack[8]; int depth; struct value *last; };
static void value_release(struct value *v) { if (--v->refs == 0) free(v); }
double pop(struct machine *m)
{
    struct value *v = m->stack[--m->depth];
    v->refs++;
    m->last = v;
    value_release(v);
    return v->number;
}

// case: a symbol is used though the table may have freed it
#include <stdlib.h>
#include <string.h>
struct symbol { char name[16]; int uses; };
struct table { struct symbol *one; };
struct symbol *symbol_new(const char *name);
static struct symbol *intern(struct table *t, struct symbol *s)
{
    if (strcmp(t->one->name, s->name) == 0) {
        free(s);
        return t->one;
    }
    return t->one = s;
}
void count(struct table *t, const char *name)
{
    struct symbol *s = symbol_new(name);
    intern(t, s);
    s->uses++;  // expect: c/use-after-free
}

// case: the symbol that the table returns is used
#include <stdlib.h>
#include <string.h>
struct symbol { char name[16]; int uses; };
struct table { struct symbol *one; };
struct symbol *symbol_new(const char *name);
static struct symbol *intern(struct table *t, struct symbol *s)
{
    if (strcmp(t->one->name, s->name) == 0) {
        free(s);
        return t->one;
    }
    return t->one = s;
}
void count(struct table *t, const char *name)
{
    struct symbol *s = symbol_new(name);
    s = intern(t, s);
    s->uses++;
}

// case: the first of a list is taken out of it in a loop, and the new first one is returned
#include <stdlib.h>
struct sock { struct sock *next; };
struct all { struct sock *sockets; } all;
struct sock *without(struct sock *unwanted)
{
    struct sock *at = all.sockets;
    while (at) {
        if (at == unwanted) {
            all.sockets = at->next;
            free(at);
            return all.sockets;
        }
        at = at->next;
    }
    return NULL;
}

// case: an element that is freed in a loop is returned
#include <stdlib.h>
struct sock { struct sock *next; };
struct all { struct sock *sockets; } all;
struct sock *taken(struct sock *unwanted)
{
    struct sock *at = all.sockets;
    while (at) {
        if (at == unwanted) {
            all.sockets = at->next;
            free(at);
            return at;  // expect: c/use-after-free
        }
        at = at->next;
    }
    return NULL;
}

// case: wide text is copied with its width
#include <string.h>
#include <wchar.h>
void prefix(wchar_t *out)
{
    memcpy(out, L"UNC\\", sizeof(wchar_t) * 4);
}
