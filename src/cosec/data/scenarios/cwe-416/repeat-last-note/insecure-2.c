#include <stdlib.h>

struct melody {
    int *notes;         /* allocated */
    size_t count;       /* at least one */
};

/* Append a copy of the melody's last note. Returns 0, or -1 where memory is short. */
int repeat_last(struct melody *melody)
{
    int *last = &melody->notes[melody->count - 1];
    int *notes = realloc(melody->notes, (melody->count + 1) * sizeof(int));
    if (notes == NULL)
        return -1;
    melody->notes = notes;
    notes[melody->count] = last[0];
    melody->count += 1;
    return 0;
}
