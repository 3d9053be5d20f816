#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parcel {
    char city[40];
    int grams;
};

/* The van takes a parcel over: it notes the weight and frees the parcel. */
static void hand_over(struct parcel *parcel)
{
    printf("van: %d g\n", parcel->grams);
    free(parcel);
}

/* parcel CITY GRAMS: hand a parcel of that weight over to the van and print "on its way to CITY". */
int main(int argc, char *argv[])
{
    if (argc != 3) {
        fprintf(stderr, "usage: parcel CITY GRAMS\n");
        return 2;
    }
    struct parcel *parcel = malloc(sizeof *parcel);
    if (parcel == NULL)
        return 1;
    snprintf(parcel->city, sizeof parcel->city, "%s", argv[1]);
    parcel->grams = atoi(argv[2]);
    printf("on its way to %s\n", parcel->city);
    hand_over(parcel);
    return EXIT_SUCCESS;
}
