#include <stdint.h>

/* Length of a recording in milliseconds. */
int64_t recording_ms(int days, int hours, int minutes)
{
    return ((days * 24 + hours) * 60 + minutes) * 60 * 1000;
}
