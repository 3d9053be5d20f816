#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole seconds of a swimmer's lap time, a text such as "1:32" (minutes and seconds), which may be changed. */
int lap_seconds(char *lap)
{
    char *minutes = strtok(lap, ":");
    char *seconds = strtok(NULL, ":");
    if (!minutes || !seconds) {
        fprintf(stderr, "not a lap time\n");
        return 0;
    }
    return (int) (strtol(minutes, NULL, 10) * 60 + strtol(seconds, NULL, 10));
}
