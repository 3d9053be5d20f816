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
    if (snprintf(file_name, sizeof file_name, "%s.log", job) >= (int) sizeof file_name)
        return 1;
    printf("%s\n", file_name);
    return 0;
}
