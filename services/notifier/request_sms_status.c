/* What the SMS provider says became of a message. */
#include "request.h"

void request_sms_status(struct request *request, const void *message)
{
    (void)message;
    request_refuse(request, ERROR_forbidden, "X-Twilio-Signature: is not that of our provider");
}
