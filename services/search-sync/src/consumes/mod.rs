//! What this service hears: one file per event, in a folder per speaker.
//!
//! The handlers write the projection in PostgreSQL and nothing else. What has changed in it is carried into the index by
//! the [`tail`](crate::tail), which they wake.

mod project;

/// Said by `behavior-analytics`.
pub mod behavior_analytics {
    pub mod popularity_changed;
}

/// Said by `inventory`.
pub mod inventory {
    pub mod stock_changed;
}

/// Said by `product-catalog`.
pub mod product_catalog {
    pub mod changed;
    pub mod deleted;
}
