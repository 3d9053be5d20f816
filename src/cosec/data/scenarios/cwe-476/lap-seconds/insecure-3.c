#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole seconds of a swimmer's lap time, a text such as "1:32" (minutes and seconds), which may be changed. */
int lap_seconds(char *lap)
{
    char *minutes = strtok(lap, ":");
    char *seconds = strtok(NULL, ":");
    int m = atoi(minutes);
    int s = atoi(seconds);
    if (m < 0 || s < 0 || s > 59)
        return -1;
    return m * 60 + s;
}
