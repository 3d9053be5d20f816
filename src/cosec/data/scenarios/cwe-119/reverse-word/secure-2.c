#include <stdio.h>
#include <string.h>

/* Print the word backwards. */
void print_reversed(const char *word)
{
    char reversed[24];
    size_t length = strlen(word);
    if (length > 23) {
        fprintf(stderr, "the word is too long\n");
        return;
    }
    reversed[length] = 0;
    while (*word)
        reversed[--length] = *word++;
    puts(reversed);
}
