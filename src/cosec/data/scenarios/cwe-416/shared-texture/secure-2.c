#include <stdlib.h>

struct texture {
    int width, height;
    unsigned char *pixels;      /* allocated */
    int users;
};

/* Give back one use of a texture; with the last use, the texture is freed. Returns how many uses are left. */
int release_texture(struct texture *texture)
{
    texture->users--;
    if (texture->users == 0) {
        free(texture->pixels);
        free(texture);
        texture = NULL;
    }
    return texture != NULL ? texture->users : 0;
}
