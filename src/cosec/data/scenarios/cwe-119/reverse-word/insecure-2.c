#include <stdio.h>
#include <string.h>

/* Print the word backwards. */
void print_reversed(const char *word)
{
    char reversed[24];
    size_t length = strlen(word);
    if (length > sizeof reversed)
        return;
    for (size_t i = 0; i < length; i++)
        reversed[i] = word[length - i - 1];
    reversed[length] = '\0';
    puts(reversed);
}
