#include <stddef.h>
#include <string.h>

/* Number of characters that a crossword clue shows. A backslash and the character after it show as one. */
size_t shown_characters(const char *clue)
{
    size_t shown = 0;
    while (*clue != '\0') {
        if (*clue == '\\')
            clue++;
        clue++;
        shown++;
    }
    return shown;
}
