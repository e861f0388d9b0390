//! Imports a batch of rows, and moves the cursor of the import in the same transaction.

use chrono::{DateTime, Utc};
use envelope::Priority;
use messaging::Transaction;
use runtime::clock;
use vocabulary::{ImportId, Sku};

use super::write_products::{WriteProductsError, write_products};
use crate::{
    domain::{
        DocumentCodec, ImportContent, ImportCursor, ImportPlan, ImportPolicy, ImportRow,
        plan_import,
    },
    publishes::stock_counted,
    storage::{document, import_overlay, imports, products},
};

/// The maximum number of products whose changes a dry run reports.
const MAX_PREVIEWS: i64 = 100;
/// The maximum number of rows in a transaction.
const BATCH_SIZE: usize = 250;

pub(crate) struct ImportBatchCommand<'a> {
    /// Locked by the transaction.
    pub(crate) cursor: &'a ImportCursor,
    /// All rows of the cursor's chunk.
    pub(crate) rows: &'a [ImportRow],
    pub(crate) policy: &'a ImportPolicy,
}

/// Why a batch was not imported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportBatchError {
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[error("the transaction failed")]
    Messaging(#[from] messaging::Error),
    #[error("the products could not be written")]
    Write(#[from] WriteProductsError),
}

/// Emits the counts of stock of the rows.
fn count_stock(
    tx: &mut Transaction,
    plan: &ImportPlan,
    import: ImportId,
    now: DateTime<Utc>,
) -> Result<(), messaging::Error> {
    tx.set_priority(Priority::Bulk);
    for count in &plan.counts {
        tx.emit(&stock_counted(count.clone(), import, now))?;
    }
    Ok(())
}

/// Plans and writes the next batch at the cursor.
pub(crate) async fn import_batch(
    tx: &mut Transaction,
    command: ImportBatchCommand<'_>,
) -> Result<ImportPlan, ImportBatchError> {
    let ImportBatchCommand { cursor, rows, policy } = command;
    let first = usize::try_from(cursor.next_row).unwrap_or_default().min(rows.len());
    let batch = &rows[first..rows.len().min(first + BATCH_SIZE)];
    let contents = batch.iter().filter_map(|row| row.content.as_ref().ok());
    let skus: Vec<&str> = contents.flat_map(ImportContent::skus).map(Sku::as_str).collect();
    let mut known = products::lock_owners(tx, &skus).await?;
    if cursor.dry_run {
        import_overlay::apply(tx, cursor.import_id, &skus, &mut known).await?;
    }
    let now = clock::now();
    let codec =
        DocumentCodec { encode: document::encode, decode: |text| document::decode(text).ok() };
    let plan = plan_import(batch, &known, policy, codec, now);
    if cursor.dry_run {
        let room = usize::try_from(MAX_PREVIEWS - cursor.written).unwrap_or_default();
        let previews = plan.previews(&known, codec, room);
        imports::insert_previews(tx, cursor.import_id, &previews).await?;
        import_overlay::keep(tx, cursor.import_id, &plan.writes).await?;
    } else if !plan.writes.is_empty() {
        write_products(tx, &plan.writes, Some(cursor.import_id), now).await?;
    }
    if !cursor.dry_run {
        count_stock(tx, &plan, cursor.import_id, now)?;
    }
    let end = first + plan.processed;
    let next = match i32::try_from(end) {
        Ok(row) if end < rows.len() => (cursor.next_chunk, row),
        Ok(_) | Err(_) => (cursor.next_chunk + 1, 0),
    };
    imports::advance(tx, cursor, &plan, next, now).await?;
    if cursor.dry_run && next.0 == cursor.chunks {
        import_overlay::delete(tx, cursor.import_id).await?;
    }
    Ok(plan)
}
