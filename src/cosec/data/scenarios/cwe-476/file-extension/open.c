#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Print the extension of the file name, without the dot. */
int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
