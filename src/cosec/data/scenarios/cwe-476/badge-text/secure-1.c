#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text of a visitor's badge, "NAME (TEAM)", in memory that the caller frees. */
char *badge_text(const char *name, const char *team)
{
    size_t size = strlen(name) + strlen(team) + 4;
    char *badge = malloc(size);
    if (badge == NULL)
        return NULL;
    snprintf(badge, size, "%s (%s)", name, team);
    return badge;
}
