#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* save-schedule TEXT: write the schedule to schedule.txt, which the backup service obeys. */
int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int fd = open("schedule.txt", O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        return 1;
    write(fd, argv[1], strlen(argv[1]));
    close(fd);
    return 0;
}
