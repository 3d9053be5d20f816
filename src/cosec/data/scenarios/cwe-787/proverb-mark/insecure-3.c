#include <ctype.h>
#include <string.h>

/* Cut the mark off the end of a line from the book of proverbs: "Haste makes waste.", "Who knows?", "Live!". */
void cut_mark(char *proverb)
{
    size_t length = strlen(proverb);
    if (proverb == NULL)
        return;
    proverb[--length] = 0;
}
