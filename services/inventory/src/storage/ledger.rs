//! Reads the ledger. [`super::stock::write`] writes it together with the levels.

use sqlx::PgConnection;
use vocabulary::{OrderId, Sku};

use crate::domain::LedgerEntry;

/// The last `limit` movements of a SKU with an id below `before`, newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    sku: &Sku,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<LedgerEntry>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select id, warehouse_id, kind, on_hand_delta, reserved_delta, on_hand_after, reserved_after, order_id, reason, actor,
            at
        from ledger
        where sku = $1 and id < $2
        order by id desc
        limit $3
        "#,
        sku.as_str(),
        before.unwrap_or(i64::MAX),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let entries = rows.into_iter().map(|row| LedgerEntry {
        id: row.id,
        warehouse: row.warehouse_id.into(),
        kind: row.kind,
        on_hand_delta: row.on_hand_delta,
        reserved_delta: row.reserved_delta,
        on_hand_after: row.on_hand_after,
        reserved_after: row.reserved_after,
        order: row.order_id.map(OrderId::from),
        reason: row.reason,
        actor: row.actor,
        at: row.at,
    });
    Ok(entries.collect())
}
