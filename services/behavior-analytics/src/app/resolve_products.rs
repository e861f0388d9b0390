//! Resolve products: find the products that other systems name by their SKUs.

use std::collections::HashMap;

use messaging::Outbox;
use uuid::Uuid;

use crate::storage::products;

/// The product of each known SKU.
pub(crate) async fn resolve_products(
    outbox: &Outbox,
    mut skus: Vec<String>,
) -> Result<HashMap<String, Uuid>, sqlx::Error> {
    skus.sort_unstable();
    skus.dedup();
    // PostgreSQL cannot store this character, so no SKU has it.
    skus.retain(|sku| !sku.contains('\0'));
    if skus.is_empty() {
        return Ok(HashMap::new());
    }
    let mut connection = outbox.pool().acquire().await?;
    Ok(products::with_skus(&mut connection, &skus).await?.into_iter().collect())
}
