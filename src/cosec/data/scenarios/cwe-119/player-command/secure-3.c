#include <stdio.h>
#include <string.h>

#define MAX_WORDS 5

/*
 * Split what the player typed, such as "open the green door", at its blanks. Stores pointers to the words in order and
 * returns how many it stored.
 */
int split_command(char *command, char *words[MAX_WORDS])
{
    int count = 0;
    char *word = strtok(command, " ");
    while (word != NULL) {
        if (count < MAX_WORDS)
            words[count++] = word;
        word = strtok(NULL, " ");
    }
    return count;
}
