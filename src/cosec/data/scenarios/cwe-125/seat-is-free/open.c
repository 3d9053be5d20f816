#include <stdbool.h>
#include <string.h>

#define ROWS 4
#define SEATS 6

/* What is sold: x; what is free: a dot. */
static char plan[ROWS][SEATS] = {
    {'x', 'x', '.', '.', '.', 'x'},
    {'.', 'x', 'x', 'x', 'x', '.'},
    {'x', 'x', 'x', 'x', 'x', 'x'},
    {'.', '.', '.', 'x', '.', '.'},
};

/* Whether the seat can still be booked. Rows count from 1, seats are lettered A to F. */
bool seat_is_free(int row, char letter)
{
