//! What this service hears: one file per event, in a folder per speaker.

/// Said by this service itself: its door writes into the stream.
pub mod behavior_analytics {
    pub mod user_events;
}

/// Said by `inventory`.
pub mod inventory {
    pub mod stock_changed;
}

/// Said by `order`.
pub mod order {
    pub mod confirmed;
}

/// Said by `product-catalog`.
pub mod product_catalog {
    pub mod changed;
    pub mod deleted;
}
