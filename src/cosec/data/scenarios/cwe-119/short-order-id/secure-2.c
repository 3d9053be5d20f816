#include <stdio.h>
#include <string.h>

/* Print the first eight characters of an order's id. */
void print_short_id(const char *id)
{
    char code[9];
    snprintf(code, sizeof(code), "%s", id);
    printf("%s\n", code);
}
