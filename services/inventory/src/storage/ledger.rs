//! The ledger, as people read it. It is written with the levels, see [`super::stock::write`].

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::Sku;

/// One movement.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Where it stands in the ledger: later movements of a SKU have larger ids.
    pub id: i64,
    /// In which warehouse.
    pub warehouse_id: Uuid,
    /// What kind, see [`crate::domain::Kind`].
    pub kind: String,
    /// By how much the pieces that are there changed.
    pub on_hand_delta: i64,
    /// By how much the pieces that are set aside changed.
    pub reserved_delta: i64,
    /// Pieces that were there after it.
    pub on_hand_after: i64,
    /// Pieces that were set aside after it.
    pub reserved_after: i64,
    /// For which order.
    pub order_id: Option<Uuid>,
    /// Why.
    pub reason: Option<String>,
    /// Who did it.
    pub actor: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The last `limit` movements of a SKU before the one with the id `before`, newest first.
pub async fn list(
    connection: &mut PgConnection,
    sku: &Sku,
    before: Option<i64>,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as!(
        Entry,
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
    .await
}
