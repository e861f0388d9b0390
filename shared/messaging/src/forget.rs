//! Forgets how far a subscription to full state has come.

use crate::{error::Error, publish::transaction::Transaction};

/// Forgets the numbers of these keys, so that the next event of each is applied, whatever its number.
///
/// For a repair that has found state which the publisher never published: an invented event with a high number would make all later ones
/// stale. `consumer` must subscribe to [full state](crate::StateSubscription), and its handlers must compare a version in the data:
/// events from before may be applied again. Call it before the repair writes: consumers lock their numbers first.
pub async fn forget_numbers(
    tx: &mut Transaction,
    consumer: &str,
    publisher: &str,
    aggregate: &str,
    keys: &[String],
) -> Result<(), Error> {
    sqlx::query!(
        r#"
        with ours as (
            select consumer, source, aggregate, key from messaging.cursor
            where consumer = $1 and source = $2 and aggregate = $3 and key = any($4)
            order by key
            for update
        )
        delete from messaging.cursor c using ours o
        where c.consumer = o.consumer and c.source = o.source and c.aggregate = o.aggregate and c.key = o.key
        "#,
        consumer,
        publisher,
        aggregate,
        keys,
    )
    .execute(&mut **tx)
    .await?;
    Ok(())
}
