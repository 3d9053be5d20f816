#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* log-name JOB: print the name of a job's log file, JOB.log. */
int main(int argc, char **argv)
{
    char file_name[16];
    if (argc != 2)
        return 2;
    const char *job = argv[1];
    if (
