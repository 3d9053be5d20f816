#include <stdint.h>

/* Length of a recording in milliseconds. */
int64_t recording_ms(int days, int hours, int minutes)
{
    return 86400000LL * days + 3600000LL * hours + 60000LL * minutes;
}
