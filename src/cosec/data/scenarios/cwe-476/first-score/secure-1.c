#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* first-score FILE: print the first line of a file of scores. */
int main(int argc, char **argv)
{
    char line[64];
    if (argc < 2) {
        fprintf(stderr, "usage: first-score FILE\n");
        return 2;
    }
    FILE *file = fopen(argv[1], "r");
    if (file == NULL) {
        perror(argv[1]);
        return 1;
    }
    if (fgets(line, sizeof line, file) != NULL)
        printf("%s", line);
    fclose(file);
    return 0;
}
