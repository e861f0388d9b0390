//! Promotions, which discount orders.

pub(super) mod create_promotion;
pub(super) mod delete_promotion;
pub(super) mod get_promotion;
pub(super) mod list_promotions;
mod promotion_body;
mod promotion_draft;
pub(super) mod replace_promotion;
