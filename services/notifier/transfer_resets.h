#ifndef HANSOM_TRANSFER_RESETS_H
#define HANSOM_TRANSFER_RESETS_H
/*
 * libcurl 7.88 (Debian 12) sends RST_STREAM after every HTTP/2 answer, for a stream that is closed already
 * (http2_data_done: `closed` was cleared by http2_handle_stream_close). Servers that count resets since CVE-2023-44487
 * (nghttp2 1000 and then 33 a second, Netty and SwiftNIO 200 in 30 s) end such a connection with GOAWAY in the middle
 * of the traffic. The program therefore puts its own nghttp2_submit_rst_stream before the library's, which leaves out
 * exactly those frames. Later libcurls do not send them; nothing happens then.
 */

/* Once, before libcurl is used. */
void transfer_resets_prepare(void);

#endif
