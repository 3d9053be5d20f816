// case: result of malloc written without a check
#include <stdlib.h>
struct node { int value; struct node *next; };
struct node *push(struct node *head, int value)
{
    struct node *fresh = malloc(sizeof *fresh);
    fresh->value = value; // expect: c/null-dereference
    fresh->next = head;
    return fresh;
}
// case: result of malloc checked through a goto
#include <stdlib.h>
#include <string.h>
int load(const char *text)
{
    int status = -1;
    char *copy = malloc(strlen(text) + 1);
    if (!copy)
        goto done;
    strcpy(copy, text);
    status = copy[0];
    free(copy);
done:
    return status;
}
// case: result of strdup used at once
#include <string.h>
#include <ctype.h>
char *capital(const char *name)
{
    char *copy = strdup(name);
    copy[0] = toupper(copy[0]); // expect: c/null-dereference
    return copy;
}
// case: checked in one condition with the use
#include <stdlib.h>
int first(int count)
{
    int *all = calloc(count, sizeof(int));
    int answer = 0;
    if (all != NULL && all[0] == 0)
        answer = 1;
    free(all);
    return answer;
}
// case: checked by assertion that stays
#include <stdlib.h>
static void die(const char *why) { abort(); }
int *fresh(int count)
{
    int *all = malloc(count * sizeof *all);
    if (all == NULL)
        die("memory");
    all[0] = 1;
    return all;
}
// case: assigned within the condition
#include <stdlib.h>
int *fresh(void)
{
    int *all;
    if ((all = malloc(40)) == NULL)
        return NULL;
    all[0] = 1;
    return all;
}
// case: opened file read without a check
#include <stdio.h>
int first_letter(const char *path)
{
    FILE *file = fopen(path, "r");
    int letter = fgetc(file); // expect: c/null-dereference
    fclose(file);
    return letter;
}
// case: helper that allocates with a check
#include <stdlib.h>
static void *must_allocate(size_t size)
{
    void *made = malloc(size);
    if (!made)
        exit(1);
    return made;
}
int *one(void)
{
    int *made = must_allocate(sizeof *made);
    *made = 1;
    return made;
}
// case: ternary guards the use
#include <stdlib.h>
int look(void)
{
    int *made = malloc(8);
    int value = made ? made[0] : 0;
    free(made);
    return value;
}
// case: string from memory that was freed
#include <stdio.h>
#include <stdlib.h>
void finish(char *name)
{
    free(name);
    printf("closed %s\n", name); // expect: c/use-after-free
}
// case: list freed while walking it
#include <stdlib.h>
struct node { struct node *next; };
void drop(struct node *head)
{
    for (struct node *at = head; at != NULL; at = at->next) // expect: c/use-after-free
        free(at);
}
// case: list freed with the next one saved
#include <stdlib.h>
struct node { struct node *next; };
void drop(struct node *head)
{
    while (head) {
        struct node *next = head->next;
        free(head);
        head = next;
    }
}
// case: freed only where the function ends
#include <stdlib.h>
#include <string.h>
int measure(char *name, int broken)
{
    if (broken) {
        free(name);
        return -1;
    }
    int length = strlen(name);
    free(name);
    return length;
}
// case: freed on the error path and again at the end
#include <stdlib.h>
int parse(char *line)
{
    int status = 0;
    if (line[0] == '#') {
        free(line);
        status = 1;
    }
    free(line); // expect: c/use-after-free
    return status;
}
// case: freed by a helper and used
#include <stdio.h>
#include <stdlib.h>
struct session { int id; };
static void close_session(struct session *session) { free(session); }
void end(struct session *session)
{
    close_session(session);
    printf("%d\n", session->id); // expect: c/use-after-free
}
// case: freed and set anew
#include <stdlib.h>
char *renew(char *old)
{
    free(old);
    old = malloc(10);
    if (!old)
        return NULL;
    old[0] = 0;
    return old;
}
