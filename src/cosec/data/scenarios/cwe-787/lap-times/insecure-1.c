#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Read a runner's lap times, whole seconds with commas between them ("71,68,70"), into laps,
 * an array of max_laps numbers. Returns how many were read.
 */
int read_laps(char *line, int *laps, int max_laps)
{
    int count = 0;
    char *part = strtok(line, ",");
    while (part != NULL) {
        laps[count++] = atoi(part);
        part = strtok(NULL, ",");
    }
    return count;
}
