#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct sample {
    uint32_t time;
    float value;
};

/* Reads the number of samples from the file, then the samples. */
struct sample *read_samples(FILE *in, uint32_t *count)
{
    struct sample *samples;

    if (fread(count, sizeof(*count), 1, in) != 1)
        return NULL;
    samples =