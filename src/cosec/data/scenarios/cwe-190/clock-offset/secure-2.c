#include <stdint.h>

/* The mean of a clock's measured offsets in nanoseconds, rounded towards zero; 0 where none was measured. */
int32_t mean_offset(const int32_t *offsets, int count)
{
    if (count == 0)
        return 0;
    long long total = offsets[0];
    for (int i = 1; i < count; ++i) {
        total = total + offsets[i];
    }
    return total / count;
}
