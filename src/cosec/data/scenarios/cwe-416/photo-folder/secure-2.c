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
    size_t size = strlen(folder) + 1;
    char *own = malloc(size);
    if (own != NULL)
        memcpy(own, folder, size);
    free(copy);
    return own;
}
