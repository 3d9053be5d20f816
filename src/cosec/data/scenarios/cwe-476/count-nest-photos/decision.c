#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* count-nest-photos FOLDER: print the number of files in the folder, without those whose name starts with a dot. */
int main(int argc, char **argv)
{
    int photos = 0;
    struct dirent *entry;
    if (argc != 2)
        return 2;
    DIR *folder = opendir(argv[1]);
