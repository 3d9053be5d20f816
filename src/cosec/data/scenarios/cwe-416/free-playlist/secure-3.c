#include <stdlib.h>

struct track {
    char title[60];
    int seconds;
    struct track *next;
};

/* Free every track of the playlist; return how many there were. */
int free_playlist(struct track *first)
{
    int count = 0;
    struct track *track = first;
    while (track != NULL) {
        count++;
        struct track *done = track;
        track = track->next;
        free(done);
    }
    return count;
}
