#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print an item of a receipt: its name and its price in cents. */
void print_item(const char *name, int cents)
{
    char line[32];
    int length = snprintf(line, 32, "%-20.20s %d", name, cents);
    if (length >= 32)
        return;
    printf("%s\n", line);
}
