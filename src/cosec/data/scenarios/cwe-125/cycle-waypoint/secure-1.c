#include <stdio.h>
#include <string.h>

/* A place as the bicycle computer stores it. */
struct waypoint {
    float north;
    float east;
    char name[8];   /* up to eight characters; zero bytes fill up a shorter name */
};

/* Print a waypoint on a line of its own, such as "LAKE 47.61 12.94": name, north, east. */
void print_waypoint(const struct waypoint *point)
{
    printf("%.8s %.2f %.2f\n", point->name, point->north, point->east);
}
