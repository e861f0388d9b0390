//! Limits of the waits.

use std::time::Duration;

/// The longest wait for a state; long, because tests share few processors.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);
