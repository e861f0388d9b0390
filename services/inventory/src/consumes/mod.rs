//! What this service hears: one file per event, in a folder per speaker.

mod close;

/// Said by `order`.
pub mod order {
    pub mod cancelled;
    pub mod expired;
    pub mod payment_failed;
    pub mod placed;
    pub mod rejected;
    pub mod shipped;
}

/// Said by `product-catalog`.
pub mod product_catalog {
    pub mod changed;
    pub mod deleted;
}
