//! Consumed events. Receipts come from several publishers, so they share one folder; [`crate::topology`]
//! names the publishers.

pub(crate) mod receipts;
