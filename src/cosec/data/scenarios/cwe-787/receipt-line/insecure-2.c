#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print an item of a receipt: its name and its price in cents. */
void print_item(const char *name, int cents)
{
    char line[32];
    strcpy(line, name);
    printf("%-31s %d\n", line, cents);
}
