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
    int column = letter - 'A';
    if (row < 1 || row > ROWS || column < 0 || column >= SEATS)
        return false;
    return plan[row - 1][column] == '.';
}
