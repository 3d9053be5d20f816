// case: search result used at once
#include <stdio.h>
#include <string.h>
void domain(const char *mail)
{
    char *at = strchr(mail, '@');
    *at = 0; // expect: c/null-dereference
    puts(mail);
}
// case: search result compared first
#include <stdio.h>
#include <string.h>
void domain(char *mail)
{
    char *at = strchr(mail, '@');
    if (at)
        *at = 0;
    puts(mail);
}
// case: helper that may return NULL
#include <stddef.h>
struct item { int id; struct item *next; };
static struct item *find(struct item *at, int id)
{
    for (; at; at = at->next)
        if (at->id == id)
            return at;
    return NULL;
}
int next_id(struct item *all, int id)
{
    struct item *found = find(all, id);
    return found->next ? 1 : 0; // expect: c/null-dereference
}
// case: alias used after free
#include <stdlib.h>
char first(char *all)
{
    char *start = all;
    free(all);
    return *start; // expect: c/use-after-free
}
// case: freed in a switch and left
#include <stdlib.h>
int act(int kind, char *text)
{
    switch (kind) {
    case 1:
        free(text);
        return 0;
    case 2:
        break;
    default:
        return -1;
    }
    int letter = text[0];
    free(text);
    return letter;
}
// case: heap array walked one too far
#include <stdlib.h>
int *make(void)
{
    int *all = malloc(5 * sizeof(int));
    if (!all)
        return NULL;
    for (int i = 0; i <= 5; i++)
        all[i] = i; // expect: c/out-of-bounds-write
    return all;
}
// case: heap array walked to its end
#include <stdlib.h>
int *make(void)
{
    int *all = malloc(sizeof(int) * 5);
    if (all == NULL)
        return NULL;
    for (int i = 0; i < 5; ++i)
        all[i] = i;
    return all;
}
// case: trimmed without a stop
#include <string.h>
void trim(char *line)
{
    int last = strlen(line) - 1;
    while (line[last] == '\n') // expect: c/out-of-bounds-read
        last--;
    line[last + 1] = 0; // expect: c/out-of-bounds-write
}
// case: trimmed with a stop
#include <string.h>
void trim(char *line)
{
    size_t length = strlen(line);
    while (length > 0 && line[length - 1] == '\n')
        line[--length] = 0;
}
// case: counter read and increased
#include <stdio.h>
int next(void)
{
    int number;
    if (scanf("%d", &number) != 1)
        return 0;
    number++; // expect: c/integer-overflow
    return number;
}
// case: copied to the last byte
#include <stdio.h>
#include <string.h>
void show(const char *name)
{
    char text[16];
    strncpy(text, name, sizeof text); // expect: c/out-of-bounds-read
    puts(text);
}
// case: copied and ended
#include <stdio.h>
#include <string.h>
void show(const char *name)
{
    char text[16];
    strncpy(text, name, sizeof text);
    text[sizeof text - 1] = 0;
    puts(text);
}
// case: command through a list of allowed words
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    char command[64];
    if (argc < 2)
        return 1;
    if (strcmp(argv[1], "start") != 0 && strcmp(argv[1], "stop") != 0)
        return 1;
    snprintf(command, sizeof command, "service web %s", argv[1]);
    return system(command);
}
// case: command from a line of a file, joined
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
    char line[64], command[128] = "convert ";
    while (fgets(line, sizeof line, stdin)) {
        strcat(command, line);
        system(command); // expect: c/command-injection
    }
    return 0;
}
// case: clamped index
#include <stdlib.h>
static const int table[8] = {1, 2, 3, 4, 5, 6, 7, 8};
int look(const char *text)
{
    int at = atoi(text);
    if (at < 0)
        at = 0;
    if (at > 7)
        at = 7;
    return table[at];
}
// case: sum after both bounds
#include <stdlib.h>
int plus(const char *text)
{
    long at = strtol(text, NULL, 10);
    if (at < 0 || at > 1000)
        return -1;
    return (int) at * 12 + 1;
}
// case: pointers that start as NULL and are given a size
#include <stdlib.h>
int copy(void)
{
    int *to = NULL;
    to = malloc(sizeof(int) * 10);
    if (to == NULL)
        return 1;
    for (int i = 0; i <= 10; i++)
        to[i] = i; // expect: c/out-of-bounds-write
    free(to);
    return 0;
}
// case: arrays of one name in two blocks
#include <unistd.h>
void start(char *command, int shell)
{
    if (shell) {
        char *argv[4];
        argv[0] = "/bin/true";
        argv[2] = command;
        argv[3] = NULL;
        execv(argv[0], argv);
    } else {
        char *argv[2];
        argv[0] = command;
        argv[1] = NULL;
        execv(argv[0], argv);
    }
}
// case: past the end of the largest of them
void fill(int long_one)
{
    if (long_one) {
        int values[4];
        values[4] = 1; // expect: c/out-of-bounds-write
    } else {
        int values[2];
        values[1] = 1;
    }
}
