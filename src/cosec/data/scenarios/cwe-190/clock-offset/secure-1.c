#include <stdint.h>

/* The mean of a clock's measured offsets in nanoseconds, rounded towards zero; 0 where none was measured. */
int32_t mean_offset(const int32_t *offsets, int count)
{
    if (count == 0)
        return 0;
    int64_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += offsets[i];
    return (int32_t) (sum / count);
}
