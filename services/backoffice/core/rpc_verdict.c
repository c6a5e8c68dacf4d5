#include "core/rpc_verdict.h"

static const char *text_field(const ProtobufCMessage *answer, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(answer->descriptor, name);
    if (field == NULL)
        return "";
    ASSERT(field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED);
    return *(char *const *)(const void *)((const char *)answer + field->offset);
}

enum error_code rpc_verdict(const ProtobufCMessage *answer, const char **detail_r)
{
    *detail_r = "";
    if (answer == NULL)
        return ERROR_internal;
    const char *name = text_field(answer, "error_code");
    if (*name == '\0')
        return ERROR_NONE;
    *detail_r = text_field(answer, "detail");
    enum error_code code = error_code_from_name(name);
    switch (code) {
    case ERROR_bad_request:
    case ERROR_not_found:
    case ERROR_conflict:
    case ERROR_payload_too_large:
        return code;
    case ERROR_unavailable:
    case ERROR_rate_limited:
        return ERROR_unavailable;
    case ERROR_NONE:
    case ERROR_unauthorized:
    case ERROR_forbidden:
    case ERROR_internal:
        break;
    }
    return ERROR_internal;
}
