//! What this service hears. All services that follow products say the same two events, so there is one folder for them all:
//! who they are, [`crate::topology`] lists.

pub(crate) mod receipts;
