#include "core/address_rules.h"

#include <string.h>

bool ipv4_is_public(uint32_t address)
{
    static const struct {
        uint32_t prefix;
        unsigned bits;
    } special[] = {
        {0x00000000, 8},  /* 0.0.0.0/8 this network */
        {0x0a000000, 8},  /* 10.0.0.0/8 private */
        {0x64400000, 10}, /* 100.64.0.0/10 shared, carrier-grade NAT */
        {0x7f000000, 8},  /* 127.0.0.0/8 loopback */
        {0xa9fe0000, 16}, /* 169.254.0.0/16 link-local, clouds' metadata */
        {0xac100000, 12}, /* 172.16.0.0/12 private */
        {0xc0000000, 24}, /* 192.0.0.0/24 protocol assignments */
        {0xc0000200, 24}, /* 192.0.2.0/24 documentation */
        {0xc0586300, 24}, /* 192.88.99.0/24 6to4 relays, deprecated */
        {0xc0a80000, 16}, /* 192.168.0.0/16 private */
        {0xc6120000, 15}, /* 198.18.0.0/15 benchmarks */
        {0xc6336400, 24}, /* 198.51.100.0/24 documentation */
        {0xcb007100, 24}, /* 203.0.113.0/24 documentation */
        {0xe0000000, 4},  /* 224.0.0.0/4 multicast */
        {0xf0000000, 4},  /* 240.0.0.0/4 reserved, broadcast */
    };
    for (size_t i = 0; i < ARRAY_LEN(special); i++)
        if ((address ^ special[i].prefix) >> (32 - special[i].bits) == 0)
            return false;
    return true;
}

static bool has_prefix(const unsigned char *address, const unsigned char *prefix, unsigned bits)
{
    unsigned bytes = bits / 8, rest = bits % 8;
    return memcmp(address, prefix, bytes) == 0 && (rest == 0 || (address[bytes] ^ prefix[bytes]) >> (8 - rest) == 0);
}

static uint32_t ipv4_at(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

struct ipv6_rule {
    unsigned char prefix[16];
    unsigned bits;
    int ipv4_offset; /* where the IPv4 address lies that decides; -1: never public */
};

bool ipv6_is_public(const unsigned char address[16])
{
    static const struct ipv6_rule rules[] = {
        {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 12}, /* ::ffff:0:0/96 IPv4-mapped */
        {{0x00, 0x64, 0xff, 0x9b}, 96, 12},                   /* 64:ff9b::/96 NAT64 */
        {{0x20, 0x02}, 16, 2},                                /* 2002::/16 6to4 */
        {{0x20, 0x01, 0x00}, 23, -1},                         /* 2001::/23 Teredo, ORCHID, benchmarks */
        {{0x20, 0x01, 0x0d, 0xb8}, 32, -1},                   /* 2001:db8::/32 documentation */
        {{0x3f, 0xff, 0x00}, 20, -1},                         /* 3fff::/20 documentation */
        {{0x20}, 3, 0}, /* 2000::/3 global unicast: what is left of it is public */
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++)
        if (has_prefix(address, rules[i].prefix, rules[i].bits))
            return rules[i].ipv4_offset == 0 ||
                   (rules[i].ipv4_offset > 0 && ipv4_is_public(ipv4_at(address + rules[i].ipv4_offset)));
    return false; /* loopback, link-local, unique local, multicast, and what is not assigned */
}

bool address_is_public(const struct sockaddr *address, size_t length)
{
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof(ipv4));
        return ipv4_is_public(ntohl(ipv4.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof(ipv6));
        return ipv6_is_public(ipv6.sin6_addr.s6_addr);
    }
    return false;
}
