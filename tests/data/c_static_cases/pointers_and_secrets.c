// case: old pointer written after it was moved
#include <stdlib.h>
int *wider(int *values, size_t count)
{
    int *more = realloc(values, 2 * count * sizeof *values);
    if (more == NULL)
        return NULL;
    values[0] = 1; // expect: c/use-after-free
    return more;
}
// case: old pointer used where moving it failed
#include <stdlib.h>
int *wider(int *values, size_t count)
{
    int *more = realloc(values, 2 * count * sizeof *values);
    if (more == NULL) {
        values[0] = 0;
        free(values);
        return NULL;
    }
    more[count] = 1;
    return more;
}
// case: old pointer replaced by the new one
#include <stdlib.h>
struct list { int *items; size_t count, room; };
int add(struct list *list, int item)
{
    if (list->count == list->room) {
        int *items = realloc(list->items, 2 * list->room * sizeof *items);
        if (!items)
            return -1;
        list->items = items;
        list->room *= 2;
    }
    list->items[list->count++] = item;
    return 0;
}
// case: second name of a pointer that was moved
#include <stdlib.h>
char first(char *text)
{
    char *start = text;
    text = realloc(text, 100);
    if (!text)
        return 0;
    return *start; // expect: c/use-after-free
}
// case: old pointer freed although it was moved
#include <stdlib.h>
char *longer(char *text)
{
    char *made = realloc(text, 100);
    if (made != NULL) {
        free(text); // expect: c/use-after-free
        return made;
    }
    return text;
}
// case: freed pointer whose address is printed
#include <stdio.h>
#include <stdlib.h>
void drop(char *text)
{
    free(text);
    printf("freed %p\n", (void *)text);
}
// case: freed pointer passed to a function that only compares it
#include <stdlib.h>
static const void *kept;
static void forget(const void *one)
{
    if (one == kept)
        kept = NULL;
}
void drop(char *text)
{
    free(text);
    forget(text);
}
// case: freed pointer passed to a function that reads it
#include <stdio.h>
#include <stdlib.h>
static void note(const char *text) { printf("%s is gone\n", text); }
void drop(char *text)
{
    free(text);
    note(text); // expect: c/use-after-free
}
// case: pointer kept while others are freed
#include <stdlib.h>
struct entry { int old; struct entry *next; };
void sweep(struct entry **first)
{
    struct entry *before = NULL, *after;
    for (struct entry *at = *first; at != NULL; at = after) {
        after = at->next;
        if (!at->old) {
            before = at;
            continue;
        }
        if (before != NULL)
            before->next = after;
        else
            *first = after;
        free(at);
    }
}
// case: allocation that an assertion checks
#include <assert.h>
#include <stdlib.h>
int *zero(void)
{
    int *made = malloc(sizeof *made);
    assert(made != NULL);
    *made = 0;
    return made;
}
// case: assertions turned off by the file itself
#define NDEBUG
#include <assert.h>
#include <stdlib.h>
int *zero(void)
{
    int *made = malloc(sizeof *made);
    assert(made != NULL);
    *made = 0; // expect: c/null-dereference
    return made;
}
// case: allocation checked by a macro of the file
#include <stdlib.h>
#define REQUIRE(what) do { if (!(what)) abort(); } while (0)
int *zero(void)
{
    int *made = malloc(sizeof *made);
    REQUIRE(made);
    *made = 0;
    return made;
}
// case: result of a search used within the call
#include <stdlib.h>
#include <string.h>
int port(void) { return atoi(getenv("PORT")); } // expect: c/null-dereference
// case: result of a search read at once
#include <string.h>
char after(const char *pair) { return strchr(pair, '=')[1]; } // expect: c/null-dereference
// case: result of a search with something in its place
#include <stdlib.h>
#include <string.h>
size_t port(void)
{
    const char *text = getenv("PORT");
    return strlen(text ? text : "80");
}
// case: password compared under a short name
#include <string.h>
int admit(const char *user, const char *pwd) { return !strcmp(user, "guest") && !strcmp("Tr0ub4dor", pwd); } // expect: c/hardcoded-credentials
// case: password in a member compared
#include <string.h>
struct login { char user[16], pass[32]; };
int admit(const struct login *login) { return strncmp(login->pass, "opensesame", 32) == 0; } // expect: c/hardcoded-credentials
// case: entry of the user database compared
#include <pwd.h>
#include <string.h>
int is_root(const struct passwd *pw) { return strcmp(pw->pw_name, "root") == 0 && strcmp(pw->pw_passwd, "x") == 0; }
// case: password compared with one that was kept elsewhere
#include <string.h>
int admit(const char *pw, const char *kept) { return kept != NULL && strcmp(pw, kept) == 0; }
// case: file with a key that others may read
#include <fcntl.h>
int keep(void) { return open("/etc/app/tls.key", O_CREAT | O_WRONLY | O_TRUNC, 0644); } // expect: c/weak-file-permissions
// case: file without a secret that others may read
#include <fcntl.h>
int keep(void) { return open("/var/log/app.log", O_CREAT | O_WRONLY | O_APPEND, 0644); }
// case: macro of a library that returns
#include <stdlib.h>
int walk(char *text, int count)
{
    for (int i = 0; i < count; i++) {
        if (text[i] == 0) {
            free(text);
            Py_RETURN_FALSE;
        }
    }
    free(text);
    Py_RETURN_TRUE;
}
// case: allocation checked by a function that ends the program
#include <stdio.h>
#include <stdlib.h>
static void stop(const char *why)
{
    fputs(why, stderr);
    exit(1);
}
int *zeros(int *given, int ready)
{
    int *made = malloc(8);
    if (!ready || made == NULL)
        stop("no memory");
    made[0] = given[0];
    return made;
}
// case: block macros of a library around an allocation
#include <stdio.h>
int first_letter(const char *path)
{
    FILE *file;
    Py_BEGIN_ALLOW_THREADS
    file = fopen(path, "r");
    Py_END_ALLOW_THREADS
    if (file == NULL) {
        return -1;
    }
    return fgetc(file);
}
// case: name in a struct of the system
#include <stdio.h>
#include <sys/un.h>
void show(const struct sockaddr_un *from)
{
    char path[128], short_path[64];
    sprintf(path, "%s", from->sun_path);
    puts(path);
    sprintf(short_path, "%s", from->sun_path); // expect: c/out-of-bounds-write
    puts(short_path);
}
// case: pattern of a password
#define PASSWORD "([^@]*)"
const char *pattern(void) { return PASSWORD; }
// case: end of an array as an address
int total(void)
{
    static int cells[31];
    int sum = 0;
    for (int *at = cells; at < &cells[31]; at++)
        sum += *at;
    return sum;
}
// case: counted down before it is used
void clear(void)
{
    int cells[10];
    int i;
    for (i = 10; --i >= 0;)
        cells[i] = 0;
}
// case: counted down after it is used
void clear(void)
{
    int cells[10];
    for (int i = 10; i >= 0; i--)
        cells[i] = 0; // expect: c/out-of-bounds-write
}
// case: number that is not zero, less one
#include <stdlib.h>
int nth(const int *values, int count, const char *text)
{
    int at = atoi(text);
    if (at < 0 || at > count)
        return 0;
    return at ? values[at - 1] : -1;
}
