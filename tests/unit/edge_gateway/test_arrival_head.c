#include <criterion/criterion.h>

#include "arrival.h"

static void moves(const char *head, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 16);
    cr_assert(arrival_move_token(head, strlen(head), &out), "%s", head);
    cr_assert_str_eq(out.data, expected);
    strbuf_finish(&out);
}

static void leaves(const char *head)
{
    struct strbuf out;
    strbuf_init(&out, 16);
    cr_assert_not(arrival_move_token(head, strlen(head), &out), "%s", head);
    strbuf_finish(&out);
}

#define GET "GET /v1/ws HTTP/1.1\r\nHost: h\r\n"

Test(arrival_head, moves_the_token_wherever_it_is_offered)
{
    static const char expected[] = GET "Sec-WebSocket-Protocol: hansom.v1.json\r\nAuthorization: Bearer a.b.c\r\n\r\n";
    moves(GET "Sec-WebSocket-Protocol: hansom.v1.json, hansom.bearer.a.b.c\r\n\r\n", expected);
    moves(GET "Sec-WebSocket-Protocol: hansom.bearer.a.b.c, hansom.v1.json\r\n\r\n", expected);
    moves(GET "sec-websocket-protocol:hansom.bearer.a.b.c\t,hansom.v1.json \r\n\r\n", expected);
    moves(GET "Sec-WebSocket-Protocol: hansom.v1.json\r\nSec-WebSocket-Protocol: hansom.bearer.a.b.c\r\n\r\n",
          expected);
}

Test(arrival_head, a_token_alone_leaves_no_empty_offer)
{
    moves(GET "Sec-WebSocket-Protocol: hansom.bearer.a.b.c\r\n\r\n", GET "Authorization: Bearer a.b.c\r\n\r\n");
}

Test(arrival_head, the_authorization_header_wins)
{
    moves(GET "Authorization: Bearer x\r\nSec-WebSocket-Protocol: hansom.bearer.y, hansom.v1.json\r\n\r\n",
          GET "Authorization: Bearer x\r\nSec-WebSocket-Protocol: hansom.v1.json\r\n\r\n");
}

Test(arrival_head, what_follows_the_head_stays)
{
    moves(GET "Sec-WebSocket-Protocol: hansom.bearer.t\r\n\r\nbody hansom.bearer.no",
          GET "Authorization: Bearer t\r\n\r\nbody hansom.bearer.no");
}

Test(arrival_head, everything_else_is_left_as_it_is)
{
    leaves("");
    leaves(GET "\r\n");
    leaves(GET "Sec-WebSocket-Protocol: hansom.v1.json\r\n\r\n");
    leaves(GET "Sec-WebSocket-Protocol: hansom.bearer.t\r\n");    /* not whole yet */
    leaves(GET "Sec-WebSocket-Protocol: hansom.bearer.\r\n\r\n"); /* a token of no bytes */
    leaves(GET "X-Other: hansom.bearer.t\r\n\r\n");
    leaves(GET "\r\nhansom.bearer.t");
}
