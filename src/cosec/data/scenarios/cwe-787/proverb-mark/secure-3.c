#include <ctype.h>
#include <string.h>

/* Cut the mark off the end of a line from the book of proverbs: "Haste makes waste.", "Who knows?", "Live!". */
void cut_mark(char *proverb)
{
    size_t length = strlen(proverb);
    while (length > 0 && ispunct((unsigned char) proverb[length - 1])) {
        proverb[--length] = '\0';
    }
}
