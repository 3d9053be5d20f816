#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct ferry {
    int capacity_kg;
    int loaded_kg;      /* 0 to capacity_kg */
};

/* Take a vehicle that weighs weight_kg (0 or more) on board, unless the ferry would carry more than its capacity.
 * Returns whether the vehicle is on board. */
bool board_vehicle(struct ferry *ferry, int weight_kg)
{
    if (weight_kg < 0)
        return false;
    int loaded = ferry->loaded_kg + weight_kg;
    if (loaded > ferry->capacity_kg)
        return false;
    ferry->loaded_kg = loaded;
    return true;
}
