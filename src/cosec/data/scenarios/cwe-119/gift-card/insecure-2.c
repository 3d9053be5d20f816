#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gift_card {
    int number;
    char text[76];      /* a string */
};

/* Read the text of a gift card from the file. */
void read_card_text(struct gift_card *card, FILE *file)
{
    size_t length = fread(card->text, 1, 76, file);
    card->text[length] = 0;
}
