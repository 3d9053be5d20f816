#include <libgen.h>
#include <stdlib.h>
#include <string.h>

/* The path of the folder that a photo lies in, such as "2024/harbour" for "2024/harbour/boats.jpg", as a string that
 * the caller frees. NULL where there is too little memory. */
char *photo_folder(const char *path)
{
    char *copy = strdup(path);      /* dirname changes its argument */
    if (copy == NULL)
        return NULL;
    char *folder = dirname(copy);
    char *result = strdup(folder);
    free(copy);
    return result;
}
