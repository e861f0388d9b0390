//! Events of behavior-analytics.

pub(crate) mod erasure_completed;
