#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct document {
    char title[32];
    int pages;
};

void set_title(struct document *doc, const char *title)
{
    /* keep a copy of the title in the document */
    memcpy(doc->title, title,