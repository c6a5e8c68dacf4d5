-- Messages of one subject leave in their order: whether an earlier one is being sent is looked up for each.
CREATE INDEX outbox_messages_by_subject ON outbox_messages (subject, id);
