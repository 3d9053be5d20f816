#include <stdio.h>
#include <stdlib.h>

#define CANDIDATES 5

/* Read votes, each the number of a candidate, and print how many each got as "NUMBER: VOTES". */
int main(void)
{
    int votes[CANDIDATES] = {0};
    int candidate;
    while (scanf("%d", &candidate) == 1) {
        if (candidate <= CANDIDATES)
            votes[candidate] += 1;
    }
    for (int i = 0; i < CANDIDATES; i++) {
        printf("%d: %d\n", i, votes[i]);
    }
    return 0;
}
