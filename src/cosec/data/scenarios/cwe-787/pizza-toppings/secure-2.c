#include <stdio.h>
#include <string.h>

/* Write the names of a pizza's toppings, joined with ", ", as a string into text, which has size bytes. */
void list_toppings(const char **toppings, int count, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "", toppings[i]);
    }
}
