#include <ctype.h>
#include <string.h>

/* Number of characters in a line of the teleprompter, without the blanks at its end. */
int prompter_width(const char *line)
{
    size_t length = strlen(line);
    while (length > 0) {
        if (line[length - 1] != ' ')
            break;
        length--;
    }
    return (int) length;
}
