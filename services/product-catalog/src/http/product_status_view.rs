//! The status of a product in requests and responses.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::ProductStatus;

/// Whether a product is for sale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProductStatus)]
pub(super) enum ProductStatusView {
    /// Not yet for sale.
    Draft,
    #[default]
    Active,
    /// No longer for sale.
    Archived,
}

impl From<ProductStatus> for ProductStatusView {
    fn from(status: ProductStatus) -> Self {
        match status {
            ProductStatus::Draft => Self::Draft,
            ProductStatus::Active => Self::Active,
            ProductStatus::Archived => Self::Archived,
        }
    }
}

impl From<ProductStatusView> for ProductStatus {
    fn from(status: ProductStatusView) -> Self {
        match status {
            ProductStatusView::Draft => Self::Draft,
            ProductStatusView::Active => Self::Active,
            ProductStatusView::Archived => Self::Archived,
        }
    }
}
