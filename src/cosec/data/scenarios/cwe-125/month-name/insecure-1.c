#include <stdio.h>
#include <stdlib.h>

static const char *MONTHS[12] = {
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
};

/* Print the name of the month whose number is given: 1 is January. */
int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: month NUMBER\n");
        return 2;
    }
    int month = atoi(argv[1]);
    if (month > 12) {
        fprintf(stderr, "no such month\n");
        return 1;
    }
    printf("%s\n", MONTHS[month - 1]);
    return 0;
}
