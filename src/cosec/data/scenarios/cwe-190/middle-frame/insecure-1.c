#include <stdint.h>

/* The frame halfway between two frames (0 <= first <= last), rounded down. */
int middle_frame(int first, int last)
{
    int middle = (first + last) / 2;
    return middle;
}
