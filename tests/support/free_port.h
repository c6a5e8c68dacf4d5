#ifndef HANSOM_FREE_PORT_H
#define HANSOM_FREE_PORT_H

/* A TCP port on loopback for a server that is started later, perhaps several times: one that no outgoing connection
 * gets from the kernel, and that nobody else who asks here is given as long as this process lives. Aborts when there is
 * none. */
int free_port(void);

#endif
