#include <stdio.h>
#include <string.h>

/* Write the names of a pizza's toppings, joined with ", ", as a string into text, which has size bytes. */
void list_toppings(const char **toppings, int count, char *text, size_t size)
{
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        strncat(text, toppings[i], size);
        if (i < count - 1) {
            strncat(text, ", ", size);
        }
    }
}
