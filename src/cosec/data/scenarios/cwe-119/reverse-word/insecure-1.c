#include <stdio.h>
#include <string.h>

/* Print the word backwards. */
void print_reversed(const char *word)
{
    char reversed[24];
    size_t length = strlen(word);
    for (size_t i = 0; i < length; i++)
        reversed[i] = word[length - 1 - i];
    reversed[length] = '\0';
    printf("%s\n", reversed);
}
