#include <stdio.h>
#include <string.h>

/* Print the word backwards. */
void print_reversed(const char *word)
{
    char reversed[24];
    size_t length = strlen(word);
