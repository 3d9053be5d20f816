#include <stdint.h>

/* Length of a recording in milliseconds. */
int64_t recording_ms(int days, int hours, int minutes)
{
    return days * INT64_C(86400000) + hours * INT64_C(3600000) + minutes * INT64_C(60000);
}
