#ifndef HANSOM_ADDRESS_RULES_H
#define HANSOM_ADDRESS_RULES_H
/*
 * May a URL that came from outside lead to this address? Only to what is globally reachable unicast by the IANA
 * registries of special-purpose addresses (RFC 6890): never to private, loopback, link-local, shared (100.64/10),
 * documentation, benchmark, multicast or reserved ones, and by IPv6 forms that carry an IPv4 address (mapped, NAT64,
 * 6to4) only where that one is allowed. Pure.
 */
#include <netinet/in.h>

#include "base/base.h"

bool ipv4_is_public(uint32_t address); /* host byte order */
bool ipv6_is_public(const unsigned char address[16]);
/* Of a sockaddr; false for anything but IPv4 and IPv6. */
bool address_is_public(const struct sockaddr *address, size_t length);

#endif
