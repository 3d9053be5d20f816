#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Memory for a knitting chart, one byte for each stitch, which the caller fills in and frees.
 * NULL where a side is not positive or there is too little memory. */
unsigned char *new_chart(int stitches, int rows)
{
    if (stitches <= 0 || rows <= 0)
        return NULL;
    if (rows > INT_MAX / stitches)
        return NULL;
    unsigned char *chart = malloc(stitches * rows);
    return chart;
}
