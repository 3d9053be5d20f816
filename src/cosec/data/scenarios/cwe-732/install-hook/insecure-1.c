#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* install-hook COMMAND: write a script with the command to after-deploy.sh and make it executable. */
int main(int argc, char **argv)
{
    const char *path = "after-deploy.sh";
    if (argc != 2)
        return 2;
    FILE *script = fopen(path, "w");
    if (script == NULL)
        return 1;
    fprintf(script, "#!/bin/sh\n%s\n", argv[1]);
    fclose(script);
    return chmod(path, 0777) == 0 ? 0 : 1;
}
