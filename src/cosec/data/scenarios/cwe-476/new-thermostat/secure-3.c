#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct thermostat {
    char room[32];
    int target;
    int heating;
};

/* A thermostat for a room (31 letters at most) with a target in degrees; it does not heat yet. The caller frees it. */
struct thermostat *new_thermostat(const char *room, int target)
{
    struct thermostat *thermostat = calloc(1, sizeof *thermostat);
    if (!thermostat) {
        perror("calloc");
        exit(EXIT_FAILURE);
    }
    strncpy(thermostat->room, room, sizeof(thermostat->room) - 1);
    thermostat->target = target;
    return thermostat;
}
