// case: a file written after it was closed
#include <stdio.h>

int write_report(const char *path, int total)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return -1;
    fprintf(out, "total: %d\n", total);
    fclose(out);
    if (total == 0)
        fputs("nothing to report\n", out); // expect: c/use-after-free
    return 0;
}
// case: a file written after it was closed, done right
#include <stdio.h>

int write_report(const char *path, int total)
{
    FILE *out = fopen(path, "w");
    if (out == NULL)
        return -1;
    fprintf(out, "total: %d\n", total);
    if (total == 0)
        fputs("nothing to report\n", out);
    fclose(out);
    return 0;
}
// case: a file closed on an error and at the end
#include <stdio.h>

int count_lines(const char *path)
{
    FILE *in = fopen(path, "r");
    int c, lines = 0;
    if (!in)
        return -1;
    while ((c = getc(in)) != EOF)
        lines += c == '\n';
    if (ferror(in)) {
        fclose(in);
        lines = -1;
        goto done;
    }
done:
    fclose(in); // expect: c/use-after-free
    return lines;
}
// case: a file closed on an error and at the end, done right
#include <stdio.h>

int count_lines(const char *path)
{
    FILE *in = fopen(path, "r");
    int c, lines = 0;
    if (!in)
        return -1;
    while ((c = getc(in)) != EOF)
        lines += c == '\n';
    if (ferror(in)) {
        fclose(in);
        lines = -1;
        return lines;
    }
done:
    fclose(in);
    return lines;
}
// case: a member that a helper frees, freed again by its caller
#include <stdlib.h>
#include <string.h>

struct session {
    char *user;
    char *token;
};

static void session_clear(struct session *s)
{
    free(s->user);
    free(s->token);
}

void session_close(struct session *s)
{
    session_clear(s);
    free(s->token); // expect: c/use-after-free
    free(s);
}
// case: a member that a helper frees, freed again by its caller, done right
#include <stdlib.h>
#include <string.h>

struct session {
    char *user;
    char *token;
};

static void session_clear(struct session *s)
{
    free(s->user);
    free(s->token);
    s->user = NULL;
    s->token = NULL;
}

void session_close(struct session *s)
{
    session_clear(s);
    free(s->token);
    free(s);
}
// case: a member that a helper frees, printed by its caller
#include <stdio.h>
#include <stdlib.h>

struct job {
    char *label;
    int id;
};

static void job_reset(struct job *job)
{
    free(job->label);
    job->id = 0;
}

void job_finish(struct job *job)
{
    job_reset(job);
    if (job->label)
        printf("finished %s\n", job->label); // expect: c/use-after-free
}
// case: a member that a helper frees, printed by its caller, done right
#include <stdio.h>
#include <stdlib.h>

struct job {
    char *label;
    int id;
};

static void job_reset(struct job *job)
{
    free(job->label);
    job->id = 0;
    job->label = NULL;
}

void job_finish(struct job *job)
{
    job_reset(job);
    if (job->label)
        printf("finished %s\n", job->label);
}
// case: a member freed under a second name
#include <stdlib.h>

struct tree { char *name; struct tree *left, *right; };

void drop(struct tree *t)
{
    if (t->left)
        free(t->left->name);
    char *name = t->name;
    free(name);
    free(t->name); // expect: c/use-after-free
    free(t);
}
// case: a member freed under a second name, done right
#include <stdlib.h>

struct tree { char *name; struct tree *left, *right; };

void drop(struct tree *t)
{
    if (t->left)
        free(t->left->name);
    char *name = t->name;
    free(name);
    t->name = NULL;
    free(t->name);
    free(t);
}
// case: a pointer into a block that realloc moved
#include <stdlib.h>
#include <string.h>

struct vec { int *v; size_t n, cap; };

int vec_dup_first(struct vec *v)
{
    if (v->n == 0)
        return -1;
    int *first = &v->v[0];
    if (v->n == v->cap) {
        int *bigger = realloc(v->v, v->cap * 2 * sizeof *bigger);
        if (!bigger)
            return -1;
        v->v = bigger;
        v->cap *= 2;
    }
    v->v[v->n++] = *first; // expect: c/use-after-free
    return 0;
}
// case: a pointer into a block that realloc moved, done right
#include <stdlib.h>
#include <string.h>

struct vec { int *v; size_t n, cap; };

int vec_dup_first(struct vec *v)
{
    if (v->n == 0)
        return -1;
    int first = v->v[0];
    if (v->n == v->cap) {
        int *bigger = realloc(v->v, v->cap * 2 * sizeof *bigger);
        if (!bigger)
            return -1;
        v->v = bigger;
        v->cap *= 2;
    }
    v->v[v->n++] = first;
    return 0;
}
// case: a cursor into a block that grows
#include <stdlib.h>
#include <string.h>

char *escape(const char *s)
{
    size_t cap = 16;
    char *out = malloc(cap), *w = out;
    if (!out)
        return NULL;
    for (; *s; s++) {
        if ((size_t)(w - out) + 2 >= cap) {
            char *more = realloc(out, cap * 2);
            if (!more) {
                free(out);
                return NULL;
            }
            out = more;
            cap *= 2;
        }
        *w++ = *s;
    }
    *w = '\0'; // expect: c/use-after-free
    return out;
}
// case: a cursor into a block that grows, done right
#include <stdlib.h>
#include <string.h>

char *escape(const char *s)
{
    size_t cap = 16;
    char *out = malloc(cap), *w = out;
    if (!out)
        return NULL;
    for (; *s; s++) {
        if ((size_t)(w - out) + 2 >= cap) {
            size_t used = (size_t)(w - out);
            char *more = realloc(out, cap * 2);
            if (!more) {
                free(out);
                return NULL;
            }
            out = more;
            cap *= 2;
            w = out + used;
        }
        *w++ = *s;
    }
    *w = '\0';
    return out;
}
// case: a helper that wipes and frees a member, called twice
#include <stdlib.h>
#include <string.h>

struct key { unsigned char *data; size_t len; };

static void key_wipe(struct key *k)
{
    if (k->data) {
        memset(k->data, 0, k->len);
        free(k->data);
    }
    k->len = 0;
}

int key_rotate(struct key *k, const unsigned char *d, size_t n)
{
    key_wipe(k);
    unsigned char *p = malloc(n);
    if (!p) {
        key_wipe(k); // expect: c/use-after-free
        return -1;
    }
    memcpy(p, d, n);
    k->data = p;
    k->len = n;
    return 0;
}
// case: a helper that wipes and frees a member, called twice, done right
#include <stdlib.h>
#include <string.h>

struct key { unsigned char *data; size_t len; };

static void key_wipe(struct key *k)
{
    if (k->data) {
        memset(k->data, 0, k->len);
        free(k->data);
    }
    k->data = NULL;
    k->len = 0;
}

int key_rotate(struct key *k, const unsigned char *d, size_t n)
{
    key_wipe(k);
    unsigned char *p = malloc(n);
    if (!p) {
        key_wipe(k);
        return -1;
    }
    memcpy(p, d, n);
    k->data = p;
    k->len = n;
    return 0;
}
// case: a folder read after it was closed
#include <dirent.h>
#include <stdio.h>

int first_entry(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return -1;
    struct dirent *e = readdir(d);
    closedir(d);
    e = readdir(d); // expect: c/use-after-free
    if (e)
        puts(e->d_name);
    return 0;
}
// case: a folder read after it was closed, done right
#include <dirent.h>
#include <stdio.h>

int first_entry(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return -1;
    struct dirent *e = readdir(d);
    if (e)
        puts(e->d_name);
    closedir(d);
    return 0;
}
// case: a time of the caller that may have no calendar date
#include <stdio.h>
#include <time.h>

void stamp(char *out, size_t size, time_t when)
{
    struct tm *tm = localtime(&when);
    snprintf(out, size, "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday); // expect: c/null-dereference
}
// case: a time of the caller that may have no calendar date, done right
#include <stdio.h>
#include <time.h>

void stamp(char *out, size_t size, time_t when)
{
    struct tm *tm = localtime(&when);
    if (tm == NULL) {
        snprintf(out, size, "?");
        return;
    }
    snprintf(out, size, "%04d-%02d-%02d", tm->tm_year + 1900, tm->tm_mon + 1, tm->tm_mday);
}
// case: a struct freed by the last of its users only
#include <stdio.h>
#include <stdlib.h>
struct shared { int users; char *text; };
static void leave(struct shared *one)
{
    if (--one->users > 0)
        return;
    free(one->text);
    free(one);
}
void show(struct shared *one)
{
    one->users++;
    leave(one);
    puts(one->text);
}
// case: a member freed and then set by a function of the file
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct reader { char *line; };
static void begin(struct reader *one)
{
    one->line = strdup("");
}
void restart(struct reader *one)
{
    free(one->line);
    begin(one);
    if (one->line)
        puts(one->line);
}
// case: a member freed and then only printed by a function of the file
#include <stdio.h>
#include <stdlib.h>
struct reader { char *line; int number; };
static void number(struct reader *one)
{
    one->number++;
}
void restart(struct reader *one)
{
    free(one->line);
    number(one);
    puts(one->line); // expect: c/use-after-free
}
// case: the present time has a calendar date
#include <stdio.h>
#include <time.h>
int year(void)
{
    time_t now = time(NULL);
    return localtime(&now)->tm_year;
}
// case: a block checked after it got a second name
#include <stdlib.h>
char *fresh(void)
{
    char *all = malloc(16);
    char *at = all;
    if (!all)
        return NULL;
    *at = '\0';
    return all;
}
// case: a block used by its second name before the check
#include <stdlib.h>
char *fresh(void)
{
    char *all = malloc(16);
    char *at = all;
    *at = '\0'; // expect: c/null-dereference
    return all;
}
// case: the parts of a text, of which only the first exists for sure
#include <stdlib.h>
#include <string.h>
int level(char *rest)
{
    char *key = strsep(&rest, "=");
    char *value = strsep(&rest, "=");
    return key[0] == '#' ? 0 : atoi(value); // expect: c/null-dereference
}
