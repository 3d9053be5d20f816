#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Read a line such as "colour=blue" and print the value; complain where there is no "=". */
int main(void)
{
    char *line = malloc(200);
    if (line == NULL || fgets(line, 200, stdin) == NULL)
        return 1;
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        free(line);
        fprintf(stderr, "missing '='\n");
    } else {
        printf("%s", equals + 1);
    }
    free(line);
    return 0;
}
