// case: pointer compared with NULL after its use
#include <stddef.h>
struct message { size_t length; };
int is_empty(const struct message *message)
{
    size_t length = message->length; // expect: c/null-dereference
    if (message == NULL)
        return 1;
    return length == 0;
}
int refuses(const struct message *message)
{
    size_t length = message->length; // expect: c/null-dereference
    if (!message || length == 0)
        return -1;
    return 0;
}
// case: pointer compared with NULL before its use, or another value of it later
#include <stddef.h>
struct node { int id; struct node *next; };
int second(struct node *node)
{
    if (node == NULL)
        return -1;
    int id = node->id;
    node = node->next;
    if (node == NULL)
        return id;
    return node->id;
}
int last(struct node *node)
{
    for (;;) {
        int id = node->id;
        if ((node = node->next) == NULL)
            return id;
    }
}
struct node *global;
void refresh(void);
int first(void)
{
    int id = global->id;
    refresh();
    if (global == NULL)
        return -1;
    return id;
}
struct part { int status; };
struct whole { int id; struct part part; };
int status(struct whole *whole)
{
    struct part *part = &whole->part;
    if (whole == NULL)
        return -1;
    return part->status;
}
// case: NULL used where the condition holds
#include <stddef.h>
struct option { int set; struct option *next; };
int is_set(const struct option *option)
{
    return option == NULL && option->set; // expect: c/null-dereference
}
int is_really_set(const struct option *option)
{
    return option != NULL && option->set;
}
// case: NULL is noted but the function goes on
#include <stdio.h>
#include <string.h>
void give_up(void);
size_t goes_on(const char *name)
{
    if (name == NULL)
        fprintf(stderr, "no name\n");
    return strlen(name); // expect: c/null-dereference
}
size_t may_end(const char *name)
{
    if (name == NULL)
        give_up();
    return strlen(name);
}
size_t two_conditions(const char *name, int known)
{
    if (name == NULL)
        known = 0;
    if (known)
        return strlen(name);
    return 0;
}
// case: NULL arrives at a label
#include <stdlib.h>
#include <string.h>
struct pair { char *a, *b; };
struct pair *make(const char *a)
{
    struct pair *pair = malloc(sizeof *pair);
    if (pair == NULL)
        goto fail;
    pair->a = strdup(a);
    if (pair->a == NULL)
        goto fail;
    return pair;
fail:
    free(pair->a); // expect: c/null-dereference
    free(pair);
    return NULL;
}
struct pair *make_safely(const char *a)
{
    struct pair *pair = malloc(sizeof *pair);
    if (pair == NULL)
        goto fail;
    pair->a = strdup(a);
    if (pair->a == NULL)
        goto fail;
    return pair;
fail:
    if (pair != NULL)
        free(pair->a);
    free(pair);
    return NULL;
}
// case: member that was found to be NULL in an earlier turn
#include <stdlib.h>
struct step { struct step *newer; };
struct undo { struct step *oldest, *newest; size_t count; };
void trim(struct undo *undo, size_t keep)
{
    while (undo->count > keep) {
        struct step *oldest = undo->oldest;
        undo->oldest = oldest->newer;
        if (undo->oldest == NULL)
            undo->newest = NULL;
        undo->count--;
        free(oldest);
    }
}
// case: freed memory is returned
#include <stdlib.h>
#include <string.h>
char *copy(const char *text)
{
    char *made = strdup(text);
    free(made);
    return made; // expect: c/use-after-free
}
char *shorter(char *text)
{
    char *smaller = realloc(text, 8);
    if (smaller == NULL)
        return text;
    return smaller;
}
// case: other name of a member that was freed
#include <stdlib.h>
#include <string.h>
struct connection { char *buffer; size_t used; };
void replace(struct connection *connection)
{
    char *old = connection->buffer;
    free(connection->buffer);
    connection->buffer = calloc(1, 64);
    if (connection->buffer != NULL)
        memcpy(connection->buffer, old, connection->used); // expect: c/use-after-free
}
void grow(struct connection *connection);
void replaces_first(struct connection *connection)
{
    char *old = connection->buffer;
    grow(connection);
    free(connection->buffer);
    old[0] = 0;
}
// case: helper that frees what is not NULL
#include <stdlib.h>
struct image { int width; };
static void release(struct image *image)
{
    if (image != NULL) {
        free(image);
    }
}
static void release_large(struct image *image, int limit)
{
    if (image->width > limit)
        free(image);
}
int width(struct image *image)
{
    release(image);
    return image->width; // expect: c/use-after-free
}
int large(struct image *image)
{
    release_large(image, 9);
    return image->width;
}
