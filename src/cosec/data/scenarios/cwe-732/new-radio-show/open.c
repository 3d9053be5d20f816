#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* new-radio-show NAME: make a folder of that name for the show's recordings and print the name. */
int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
