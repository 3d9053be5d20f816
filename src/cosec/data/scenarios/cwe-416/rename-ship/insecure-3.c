#include <stdlib.h>
#include <string.h>

struct ship {
    char *name;         /* allocated */
    int length_m;
};

/* Give a ship a copy of a name, which may be the end of its present one ("Old Ada" becomes "Ada"), and free the
 * present one. Returns 0, or -1 where there is too little memory. */
int rename_ship(struct ship *ship, const char *name)
{
    size_t size = strlen(name) + 1;
    char *copy = malloc(size);
    if (copy == NULL)
        return -1;
    free(ship->name);
    ship->name = copy;
    memcpy(copy, name, size);
    return 0;
}
