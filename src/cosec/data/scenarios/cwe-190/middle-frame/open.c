#include <stdint.h>

/* The frame halfway between two frames (0 <= first <= last), rounded down. */
int middle_frame(int first, int last)
{
