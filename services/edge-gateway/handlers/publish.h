#ifndef HANSOM_PUBLISH_H
#define HANSOM_PUBLISH_H
/* Shared by the files that carry out a publish. */
#include "acl.h"
#include "dispatch.h"

/* What a verdict other than ACL_ALLOWED is answered with. */
void publish_refuse(struct session *session, uint32_t id, enum acl_verdict verdict);
/* A message, edit, deletion, receipt or typing. */
void publish_chat(struct session *session, const struct client_frame *frame, const struct channel_name *channel);

#endif
