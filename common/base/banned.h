#ifndef HANSOM_BANNED_H
#define HANSOM_BANNED_H
/* Functions of libc that lose a length or an error do not compile here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok gets atoi atol atoll

#endif
