#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct contact {
    char name[24];
    char phone[16];
};

/* Sets the name of a contact. */
void contact_set_name(struct contact *contact, const char *name)
{
    /* copy the name */