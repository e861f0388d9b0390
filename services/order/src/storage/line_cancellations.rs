//! Cancellations of pieces of lines.

use sqlx::PgConnection;

use crate::domain::LineCancellation;

/// Inserts a cancellation, and counts its pieces in the line. The row of the order is locked.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    cancellation: &LineCancellation,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        with counted as (
            update order_line set cancelled = cancelled + $4 where order_id = $2 and sku = $3
        )
        insert into line_cancellation (id, order_id, sku, quantity, cancelled_at) values ($1, $2, $3, $4, $5)
        "#,
        cancellation.id.as_uuid(),
        cancellation.order.as_uuid(),
        cancellation.sku.as_str(),
        i32::try_from(cancellation.quantity()).unwrap_or(i32::MAX),
        cancellation.cancelled_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}
