//! Published events, one file each: conversions from the domain to the contract.

mod product_changed;
mod product_deleted;
mod search_rule_changed;
mod search_rule_removed;
mod search_synonyms_changed;
mod stock_counted;

pub(crate) use self::{
    product_changed::product_changed, product_deleted::product_deleted,
    search_rule_changed::search_rule_changed, search_rule_removed::search_rule_removed,
    search_synonyms_changed::search_synonyms_changed, stock_counted::stock_counted,
};
