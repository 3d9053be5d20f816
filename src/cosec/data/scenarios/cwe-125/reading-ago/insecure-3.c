#include <math.h>
#include <stddef.h>

struct history {
    int count;          /* how many readings are stored */
    float *readings;    /* oldest first */
};

/* The reading that was taken `steps` readings before the newest one; 0 steps is the newest. */
float reading_ago(const struct history *history, int steps)
{
    int index = history->count - 1 - steps;
    if (steps < 0 || steps > history->count) {
        return 0.0f;
    }
    return history->readings[index];
}
