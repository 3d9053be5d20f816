#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print the extension of the file name, without the dot. */
int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    char *dot = strrchr(argv[1], '.');
    if (dot == NULL) {
        fprintf(stderr, "%s has no extension\n", argv[1]);
        return 1;
    }
    printf("%s\n", dot + 1);
    return 0;
}
