#include <stdint.h>

/* The mean of a clock's measured offsets in nanoseconds, rounded towards zero; 0 where none was measured. */
int32_t mean_offset(const int32_t *offsets, int count)
{
    if (count == 0)
        return 0;
    int total = 0;
    int i;
    for (i = 0; i < count; i++) {
        total = total + offsets[i];
    }
    int64_t mean = (int64_t) total / count;
    return (int32_t) mean;
}
