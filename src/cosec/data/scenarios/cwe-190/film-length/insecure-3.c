#include <stdint.h>

/* Length of a recording in milliseconds. */
int64_t recording_ms(int days, int hours, int minutes)
{
    return (int64_t) (days * 24 * 60 * 60 * 1000 + hours * 60 * 60 * 1000 + minutes * 60 * 1000);
}
