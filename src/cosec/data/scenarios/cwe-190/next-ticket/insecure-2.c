#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* Read the number of the last ticket from standard input and print the number of the next one. */
int main(void)
{
    int last;
    if (scanf("%d", &last) != 1) {
        fprintf(stderr, "no number\n");
        return 1;
    }
    int next = last;
    next++;
    printf("Next ticket: %d\n", next);
    return 0;
}
