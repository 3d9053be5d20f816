#include <stdint.h>

/* Length of a recording in milliseconds. */
int64_t recording_ms(int days, int hours, int minutes)
{
    return days * 86400000 + hours * 3600000 + minutes * 60000;
}
