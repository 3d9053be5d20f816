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
    int score;
    if (!file) {
        fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
        exit(EXIT_FAILURE);
    }
    if (fscanf(file, "%d", &score) == 1)
        printf("%d\n", score);
    fclose(file);
    return 0;
}
