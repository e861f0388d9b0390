//! When the stock of a SKU is low.

/// The setting of the shop: a SKU without a threshold of its own is low at this number of available pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LowStock {
    pub(crate) default_threshold: i64,
}

impl LowStock {
    /// The threshold of a SKU with this one of its own.
    pub(crate) fn threshold(self, own: Option<i64>) -> i64 {
        own.unwrap_or(self.default_threshold)
    }
}

impl Default for LowStock {
    fn default() -> Self {
        Self { default_threshold: 5 }
    }
}

/// What a request does to the threshold of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ThresholdChange {
    #[default]
    Keep,
    /// The setting of the shop applies.
    Remove,
    At(i64),
}
