#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole seconds of a swimmer's lap time, a text such as "1:32" (minutes and seconds), which may be changed. */
int lap_seconds(char *lap)
{
    char *minutes = strtok(lap, ":");
    char *seconds = strtok(NULL, ":");
    int total = 0;
    if (minutes)
        total += 60 * atoi(minutes);
    if (seconds)
        total += atoi(seconds);
    return total;
}
