// case: the folder of a path that is freed
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
char *folder_of(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return NULL;
    char *folder = dirname(copy);
    free(copy);
    return folder;  // expect: c/use-after-free
}

// case: a copy of the folder of a path that is freed
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
char *folder_of(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL)
        return NULL;
    char *folder = strdup(dirname(copy));
    free(copy);
    return folder;
}

// case: the ending of a name that is freed
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
void show_extension(const char *path)
{
    char *copy = strdup(path);
    char *dot = NULL;
    if (copy == NULL)
        return;
    dot = strrchr(copy, '.');
    if (dot == NULL) {
        free(copy);
        return;
    }
    dot++;
    free(copy);
    printf("%s\n", dot);  // expect: c/use-after-free
}

// case: a word of a line that is freed
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int first_number(const char *line)
{
    char *copy = strdup(line);
    if (!copy)
        return 0;
    char *word = strtok(copy, " ");
    free(copy);
    return word ? atoi(word) : 0;  // expect: c/use-after-free
}

// case: a word is read before its line is freed
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int first_number(const char *line)
{
    char *copy = strdup(line);
    if (!copy)
        return 0;
    char *word = strtok(copy, " ");
    int n = word ? atoi(word) : 0;
    free(copy);
    return n;
}

// case: another block is freed
#include <stdlib.h>
#include <string.h>
char *value_of(char *line, char *scratch)
{
    char *eq = strchr(line, '=');
    free(scratch);
    return eq;
}

// case: nothing was found in what is freed
#include <stdlib.h>
#include <string.h>
char *value_of(const char *line)
{
    char *copy = strdup(line);
    if (copy == NULL)
        return NULL;
    char *eq = strchr(copy, '=');
    if (eq == NULL) {
        free(copy);
        return eq;
    }
    char *value = strdup(eq + 1);
    free(copy);
    return value;
}

// case: a search in a new copy in each turn
#include <stdlib.h>
#include <string.h>
int fields(char **lines, int n)
{
    int count = 0;
    for (int i = 0; i < n; i++) {
        char *copy = strdup(lines[i]);
        if (!copy)
            return -1;
        char *p = strchr(copy, ':');
        while (p) {
            count++;
            p = strchr(p + 1, ':');
        }
        free(copy);
    }
    return count;
}

// case: a place in memory that has moved
#include <stdlib.h>
#include <string.h>
char *grow(char *text, size_t size)
{
    char *end = strchr(text, '\0');
    char *bigger = realloc(text, size * 2);
    if (bigger == NULL)
        return NULL;
    *end = '\n';  // expect: c/use-after-free
    return bigger;
}

// case: the result of a copy is returned
#include <stdlib.h>
#include <string.h>
char *copy_of(const char *s)
{
    char *buffer = malloc(strlen(s) + 1);
    if (!buffer)
        return NULL;
    char *copy = strcpy(buffer, s);
    return copy;
}

// case: a place that was not found is moved on
#include <string.h>
#include <stdlib.h>
long content_length(const char *head)
{
    const char *at = strstr(head, "Content-Length:");
    at += 15;  // expect: c/null-dereference
    while (*at == ' ')
        at++;
    return strtol(at, NULL, 10);
}

// case: a place is moved on after a test
#include <string.h>
#include <stdlib.h>
long content_length(const char *head)
{
    const char *at = strstr(head, "Content-Length:");
    if (at == NULL)
        return -1;
    at += 15;
    while (*at == ' ')
        at++;
    return strtol(at, NULL, 10);
}

// case: a place is moved on where it was found
#include <string.h>
#include <stdlib.h>
long content_length(const char *head)
{
    const char *at = strstr(head, "Content-Length:");
    if (at)
        at += 15;
    return at ? strtol(at, NULL, 10) : -1;
}

// case: a function of the file returns a place in its argument
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *skip_spaces(char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}
void greet(const char *line)
{
    char *copy = strdup(line);
    if (!copy)
        return;
    char *name = skip_spaces(copy);
    free(copy);
    printf("hello %s\n", name);  // expect: c/use-after-free
}

// case: a place in an argument is used before it is freed
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *skip_spaces(char *p)
{
    while (isspace((unsigned char)*p))
        p++;
    return p;
}
void greet(const char *line)
{
    char *copy = strdup(line);
    if (!copy)
        return;
    char *name = skip_spaces(copy);
    printf("hello %s\n", name);
    free(copy);
}

// case: a function of the file returns new memory
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *shout(char *p)
{
    char *loud = strdup(p);
    return loud;
}
void greet(const char *line)
{
    char *copy = strdup(line);
    if (!copy)
        return;
    char *name = shout(copy);
    free(copy);
    if (name)
        puts(name);
    free(name);
}

// case: a function of the file may return other memory
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static char *or_default(char *p)
{
    if (*p == '\0')
        p = "none";
    return p;
}
void greet(const char *line)
{
    char *copy = strdup(line);
    if (!copy)
        return;
    char *name = or_default(copy);
    puts(name);
    free(copy);
}
