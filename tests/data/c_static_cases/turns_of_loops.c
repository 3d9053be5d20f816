// case: constant pointer to what is freed in each turn
#include <stdlib.h>
struct node { struct node *next; };
static struct node *pool;
void drop(void)
{
    while (pool) {
        struct node * const one = pool;
        pool = one->next;
        free(one);
    }
}
// case: constant pointer used after it was freed
#include <stdlib.h>
struct node { struct node *next; };
struct node *after(struct node *first)
{
    struct node * const one = first;
    free(one);
    return one->next; // expect: c/use-after-free
}
// case: pointer that each turn declares and sets through a cast
#include <stdlib.h>
void clear(void **items, int count)
{
    for (int i = 0; i < count; i++) {
        char *text;
        *(void **)&text = items[i];
        free(text);
    }
}
// case: object replaced after its member was freed
#include <stdlib.h>
struct table { int *items; int count; };
int grow(struct table *table, struct table larger, int item)
{
    free(table->items);
    *table = larger;
    table->items[table->count++] = item;
    return 0;
}
// case: other object replaced after a member was freed
#include <stdlib.h>
struct table { int *items; int count; };
int grow(struct table *table, struct table *other, struct table larger)
{
    free(table->items);
    *other = larger;
    return table->items[0]; // expect: c/use-after-free
}
// case: use in a later turn behind what was cleared with the memory
#include <stdlib.h>
#include <stdio.h>
void split(FILE *in, FILE *name)
{
    char *line = NULL;
    int c, open = 0;
    while ((c = fgetc(in)) != EOF) {
        if (open)
            line[0] = (char)c;
        if (c == 10) {
            if (open) {
                fputs(line, name);
                free(line);
                open = 0;
            }
        } else if (c == 9) {
            line = calloc(2, 1);
            if (!line)
                return;
            open = 1;
        }
    }
}
// case: use in a later turn behind a count
#include <stdlib.h>
#include <stdio.h>
void show(char *line, int count)
{
    while (count > 0) {
        if (count > 1) {
            puts(line); // expect: c/use-after-free
            free(line); // expect: c/use-after-free
            count--;
        }
    }
}
