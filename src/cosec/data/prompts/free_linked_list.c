#include <stdlib.h>

struct node {
    char *name;
    struct node *next;
};

/* Frees all nodes of the list and their names. */
void list_free(struct node *head)
{
    struct node *node;

    for (node = head; node != NULL;