#include <arpa/inet.h>
#include <criterion/criterion.h>

#include "core/address_rules.h"

struct row {
    const char *text;
    bool is_public;
};

static bool judge(const char *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1)
        return address_is_public((struct sockaddr *)&ipv4, sizeof(ipv4));
    cr_assert_eq(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1, "%s", text);
    return address_is_public((struct sockaddr *)&ipv6, sizeof(ipv6));
}

static void check(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(judge(rows[i].text), rows[i].is_public, "%s", rows[i].text);
}

/* First and last of every special range, and their neighbours. */
Test(address_rules, ipv4)
{
    static const struct row rows[] = {
        {"0.0.0.0", false},         {"0.255.255.255", false},   {"1.0.0.0", true},         {"9.255.255.255", true},
        {"10.0.0.0", false},        {"10.255.255.255", false},  {"11.0.0.0", true},        {"100.63.255.255", true},
        {"100.64.0.0", false},      {"100.127.255.255", false}, {"100.128.0.0", true},     {"126.255.255.255", true},
        {"127.0.0.1", false},       {"127.255.255.255", false}, {"128.0.0.0", true},       {"169.253.255.255", true},
        {"169.254.169.254", false}, {"169.255.0.0", true},      {"172.15.255.255", true},  {"172.16.0.0", false},
        {"172.31.255.255", false},  {"172.32.0.0", true},       {"191.255.255.255", true}, {"192.0.0.0", false},
        {"192.0.0.255", false},     {"192.0.1.0", true},        {"192.0.2.1", false},      {"192.0.3.0", true},
        {"192.88.98.255", true},    {"192.88.99.1", false},     {"192.88.100.0", true},    {"192.167.255.255", true},
        {"192.168.0.0", false},     {"192.168.255.255", false}, {"192.169.0.0", true},     {"198.17.255.255", true},
        {"198.18.0.0", false},      {"198.19.255.255", false},  {"198.20.0.0", true},      {"198.51.99.255", true},
        {"198.51.100.1", false},    {"198.51.101.0", true},     {"203.0.112.255", true},   {"203.0.113.1", false},
        {"203.0.114.0", true},      {"223.255.255.255", true},  {"224.0.0.1", false},      {"239.255.255.255", false},
        {"240.0.0.1", false},       {"255.255.255.255", false}, {"8.8.8.8", true},         {"17.188.143.34", true},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(address_rules, ipv6)
{
    static const struct row rows[] = {
        {"::", false},
        {"::1", false},
        {"::8.8.8.8", false},
        {"1fff::1", false},
        {"2001::1", false},
        {"2001:0:8888::1", false},
        {"2001:1ff:ffff::1", false},
        {"2001:200::1", true},
        {"2001:4860:4860::8888", true},
        {"2001:db8::1", false},
        {"2001:db9::1", true},
        {"2620:149:208:430e::b", true},
        {"3fff:fff::1", false},
        {"3fff:1000::1", true},
        {"4000::1", false},
        {"5f00::1", false},
        {"100::1", false},
        {"fbff::1", false},
        {"fc00::1", false},
        {"fdff::1", false},
        {"fe80::1", false},
        {"febf::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(address_rules, ipv4_inside_ipv6)
{
    static const struct row rows[] = {
        {"::ffff:127.0.0.1", false},         {"::ffff:10.1.2.3", false}, {"::ffff:8.8.8.8", true},
        {"64:ff9b::169.254.169.254", false}, {"64:ff9b::7f00:1", false}, {"64:ff9b::8.8.8.8", true},
        {"64:ff9b:1::8.8.8.8", false},       {"2002:7f00:1::1", false},  {"2002:c0a8:101::1", false},
        {"2002:808:808::1", true},           {"::fffe:8.8.8.8", false},
    };
    check(rows, ARRAY_LEN(rows));
}

Test(address_rules, other_families_and_short_addresses)
{
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x08080808)};
    cr_assert_not(address_is_public(&other, sizeof(other)));
    cr_assert(address_is_public((struct sockaddr *)&ipv4, sizeof(ipv4)));
    cr_assert_not(address_is_public((struct sockaddr *)&ipv4, sizeof(ipv4) - 1));
}
