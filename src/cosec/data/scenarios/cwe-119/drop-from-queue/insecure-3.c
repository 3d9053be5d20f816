#include <string.h>

struct queue {
    int count;
    int numbers[8];
};

/* Remove the number at the position (0 <= position < count) and close the gap. */
void drop(struct queue *queue, int position)
{
    int *gap = &queue->numbers[position];
    memmove(gap, gap + 1, sizeof(queue->numbers));
    queue->count--;
}
