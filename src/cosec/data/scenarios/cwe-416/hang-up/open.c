#include <stdlib.h>
#include <string.h>

enum { LINES = 8 };

struct call {
    char *caller;       /* allocated */
    int seconds;
};

struct board {
    struct call *lines[LINES];  /* NULL where nobody is calling */
};

/* End the call on a line (0 to LINES - 1), and free it and its caller; nobody is calling on that line afterwards.
 * Returns how many seconds the call took, or 0 where nobody was calling. */
int hang_up(struct board *board, int line)
{
