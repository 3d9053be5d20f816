#include <math.h>
#include <stdint.h>

/* How many bytes a memory chip with this many address lines (1 to 40) holds: there is a byte at every address that the
 * lines can spell. 0 for any other number of lines. */
uint64_t chip_bytes(int lines)
{
    if (lines < 1 || lines > 40)
        return 0;
    return (uint64_t) (1 << lines);
}
