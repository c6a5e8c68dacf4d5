#ifndef HANSOM_RETRY_H
#define HANSOM_RETRY_H
/* Whether a client comes back after its connection ended, PROTOCOL section 5. Pure. */
#include "base/base.h"

#define RETRY_BASE_MS 500
#define RETRY_CAP_MS 30000
#define RETRY_STABLE_MS 30000 /* a connection that was open for so long starts the back-off anew */

#define CLOSE_UNAUTHORIZED 4401
#define CLOSE_FORBIDDEN 4403
#define CLOSE_CONNECT_TIMEOUT 4408
#define CLOSE_RATE_LIMITED 4429

/*
 * code: of the close frame, 0 for a cut or a refused connection. unauthorized_in_row: ends by 4401 since the last
 * answered connect, this one included: the first is answered with a fresh token, a second one stops.
 */
bool retry_is_allowed(int code, unsigned unauthorized_in_row);
/* The close code that a refused upgrade stands for: 401 and 403 as their 44xx, everything else a cut (0). */
int retry_code_of_http(int http_status);

#endif
