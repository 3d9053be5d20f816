#include <stddef.h>

#define LAMPS 24

/*
 * A light runs round a ring of lamps, from lamp 0 to lamp 23 and on to lamp 0. Returns how bright the lamp is that lies
 * `steps` lamps (0 to 24) behind the given lamp (0 to 23).
 */
int brightness_behind(const unsigned char *brightness, int lamp, int steps)
{
    return brightness[((lamp - steps) % LAMPS + LAMPS) % LAMPS];
}
