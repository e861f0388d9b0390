//! Marks the offers of deleted products as not for sale. They stay, because open orders may need their prices.

use std::collections::{HashMap, HashSet};

use envelope::trace::TraceContext;
use messaging::{Error, Transaction};
use vocabulary::{ProductId, Version};

use super::update_offers::{advance_versions, emit_product_applied, with_versions};
use crate::storage::offers;

/// Returns the products that advanced. `deleted` are the deleted products with their last versions; `cause` is the trace of the first event of the batch.
pub(crate) async fn withdraw_offers(
    tx: &mut Transaction,
    cause: Option<TraceContext>,
    deleted: impl IntoIterator<Item = (ProductId, Version)>,
) -> Result<HashSet<(ProductId, Version)>, Error> {
    let mut newest: HashMap<ProductId, Version> = HashMap::new();
    for (product, version) in deleted {
        newest.entry(product).and_modify(|known| *known = version.max(*known)).or_insert(version);
    }
    let advanced = advance_versions(tx, &newest).await?;
    offers::withdraw_unlisted(tx, &advanced, &[]).await?;
    let advanced = with_versions(&advanced, &newest);
    emit_product_applied(tx, cause, newest)?;
    Ok(advanced)
}
