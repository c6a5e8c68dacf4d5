#ifndef HANSOM_RPC_VERDICT_H
#define HANSOM_RPC_VERDICT_H
/* What another service's answer means for whoever asked us. Pure. */
#include "wire/wire.h"

/*
 * answer: any message with a field error_code and maybe a field detail; NULL: it could not be read. ERROR_NONE: it is a
 * good one. What the caller can mend is passed on, what may be tried again is ERROR_unavailable, all else
 * ERROR_internal. *detail_r belongs to the answer, "" when it says nothing.
 */
enum error_code rpc_verdict(const ProtobufCMessage *answer, const char **detail_r);

#endif
