#include <stddef.h>

struct horse {
    const char *name;
    const struct horse *sire;
    const struct horse *dam;
};

static const struct horse comet = {"Comet", NULL, NULL};
static const struct horse flint = {"Flint", NULL, NULL};
static const struct horse heather = {"Heather", NULL, NULL};
static const struct horse tansy = {"Tansy", &comet, &heather};
static const struct horse bramble = {"Bramble", &flint, &tansy};
static const struct horse juniper = {"Juniper", &flint, &tansy};
static const struct horse clover = {"Clover", &bramble, &heather};
static const struct horse sorrel = {"Sorrel", &flint, &clover};

static const struct horse *const stud_book[] = {&comet, &flint, &heather, &tansy, &bramble, &juniper, &clover, &sorrel};

/* The name of the horse's grandsire on its mother's side: the sire of its dam. */
const char *grandsire_name(const struct horse *horse)
{
    const struct horse *dam = horse->dam;
