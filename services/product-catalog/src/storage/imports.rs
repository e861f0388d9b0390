//! Imports, their unprocessed rows, and their refused rows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;
use vocabulary::{ImportId, ProductId};

use super::{import_layout, import_preview};
use crate::domain::{
    ImportCursor, ImportFormat, ImportPlan, ImportProgress, ImportState, ImportWarning,
    ProductPreview, ReceivedImport, RefusedRow, Row,
};

/// The maximum number of refused rows stored per import.
const MAX_REFUSED_ROWS: i64 = 1_000;
/// The maximum number of warnings stored per import.
const MAX_WARNINGS: i64 = 1_000;

/// Stores the next rows of an import whose body is still arriving.
pub(crate) async fn append_chunk(
    connection: &mut PgConnection,
    import: ImportId,
    number: i32,
    rows: &[Row],
) -> Result<(), sqlx::Error> {
    let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
    let bytes: Vec<&[u8]> = rows.iter().map(|row| row.bytes.as_slice()).collect();
    sqlx::query!(
        "insert into import_chunk (import_id, number, lines, rows) values ($1, $2, $3, $4)",
        import.as_uuid(),
        number,
        &lines,
        &bytes as &[&[u8]],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Inserts an import whose rows are stored. The importer will process it.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    import: &ReceivedImport,
) -> Result<(), sqlx::Error> {
    let state = match &import.layout {
        None => ImportState::Running.as_str(),
        // An earlier version of the service would not understand the rows.
        Some(_) => "queued",
    };
    let layout = import.layout.as_ref().map(import_layout::encode);
    let warned = i64::try_from(import.warnings.len()).unwrap_or(i64::MAX);
    sqlx::query!(
        r#"
        insert into import (
            id, state, format, header, layout, warned, dry_run, received, chunks, traceparent, received_at
        )
        values ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $9, $10, $11)
        "#,
        import.id.as_uuid(),
        state,
        import.format().as_str(),
        import.layout.as_ref().map(|layout| layout.header.as_slice()),
        layout,
        warned,
        import.dry_run,
        import.rows,
        import.chunks,
        import.traceparent,
        import.received_at,
    )
    .execute(&mut *connection)
    .await?;
    let warnings = import.warnings.iter().cloned();
    let warnings: Vec<ImportWarning> =
        warnings.map(|message| ImportWarning { line: 1, message }).collect();
    insert_warnings(connection, import.id, &warnings).await
}

/// Deletes the rows of an upload, unless it became a running import: a commit may succeed although its reply
/// is lost.
pub(crate) async fn discard_upload(
    connection: &mut PgConnection,
    import: ImportId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"
        delete from import_chunk
        where import_id = $1 and not exists (select from import where id = $1 and state in ('running', 'queued'))
        "#,
        import.as_uuid()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The progress of an import.
pub(crate) async fn progress(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Option<ImportProgress>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select state, format, header, layout::text as layout, received, created, updated, unchanged, refused, warned,
            counted, dry_run, reason, received_at, finished_at
        from import where id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| ImportProgress {
        state: ImportState::parse(&row.state),
        format: ImportFormat::parse(&row.format),
        received: row.received,
        created: row.created,
        updated: row.updated,
        unchanged: row.unchanged,
        refused: row.refused,
        warned: row.warned,
        counted: row.counted,
        layout: import_layout::decode(row.header, row.layout.as_deref()),
        dry_run: row.dry_run,
        reason: row.reason,
        received_at: row.received_at,
        finished_at: row.finished_at,
    }))
}

/// The first refused rows of an import.
pub(crate) async fn refused_rows(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<RefusedRow>, sqlx::Error> {
    let rows = sqlx::query!(
        "select line, reason from import_refusal where import_id = $1 order by line limit $2",
        id.as_uuid(),
        MAX_REFUSED_ROWS,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| RefusedRow::new(row.line, row.reason)).collect())
}

/// The first refused rows of an import, as they were sent.
pub(crate) async fn refused_sources(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<RefusedRow>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select line, reason, coalesce(source, ''::bytea) as "source!"
        from import_refusal where import_id = $1 order by line limit $2
        "#,
        id.as_uuid(),
        MAX_REFUSED_ROWS,
    )
    .fetch_all(connection)
    .await?;
    let row = |line, reason, source| RefusedRow { line, reason, source };
    Ok(rows.into_iter().map(|one| row(one.line, one.reason, one.source)).collect())
}

/// Whether any import is running, locked or not.
pub(crate) async fn any_running(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select exists (select from import where state in ('running', 'queued')) as "any!""#
    )
    .fetch_one(connection)
    .await
}

/// The cursor of the oldest running import that no other importer has locked. It stays locked until the
/// transaction ends.
pub(crate) async fn lock_next(
    connection: &mut PgConnection,
) -> Result<Option<ImportCursor>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select id as import_id, format, header, layout::text as layout, chunks, next_chunk, next_row, refused, warned,
            dry_run, created + updated as "written!", traceparent
        from import
        where state in ('running', 'queued')
        order by id
        limit 1
        for update skip locked
        "#,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| ImportCursor {
        import_id: row.import_id.into(),
        format: ImportFormat::parse(&row.format),
        layout: import_layout::decode(row.header, row.layout.as_deref()),
        chunks: row.chunks,
        next_chunk: row.next_chunk,
        next_row: row.next_row,
        refused: row.refused,
        warned: row.warned,
        dry_run: row.dry_run,
        written: row.written,
        traceparent: row.traceparent,
    }))
}

/// The rows of a chunk.
pub(crate) async fn read_chunk(
    connection: &mut PgConnection,
    import: ImportId,
    number: i32,
) -> Result<Vec<Row>, sqlx::Error> {
    let chunk = sqlx::query!(
        "select lines, rows from import_chunk where import_id = $1 and number = $2",
        import.as_uuid(),
        number,
    )
    .fetch_one(connection)
    .await?;
    let rows = chunk.lines.into_iter().zip(chunk.rows);
    Ok(rows.map(|(line, bytes)| Row { line, bytes }).collect())
}

/// Records the results of `plan` and moves the cursor to `next` (chunk, row). The import is done after its
/// last chunk.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    cursor: &ImportCursor,
    plan: &ImportPlan,
    next: (i32, i32),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let refused = i64::try_from(plan.refused.len()).unwrap_or(i64::MAX);
    let warned = i64::try_from(plan.warnings.len()).unwrap_or(i64::MAX);
    let counted = i64::try_from(plan.counts.len()).unwrap_or(i64::MAX);
    let done = next.0 == cursor.chunks;
    sqlx::query!(
        r#"
        update import set
            next_chunk = $2,
            next_row = $3,
            created = created + $4,
            updated = updated + $5,
            unchanged = unchanged + $6,
            refused = refused + $7,
            warned = warned + $8,
            counted = counted + $9,
            state = case when $10 then 'done' else state end,
            finished_at = case when $10 then $11::timestamptz end
        where id = $1
        "#,
        cursor.import_id.as_uuid(),
        next.0,
        next.1,
        plan.created,
        plan.updated,
        plan.unchanged,
        refused,
        warned,
        counted,
        done,
        now,
    )
    .execute(&mut *connection)
    .await?;
    if next.0 > cursor.next_chunk {
        sqlx::query!(
            "delete from import_chunk where import_id = $1 and number = $2",
            cursor.import_id.as_uuid(),
            cursor.next_chunk,
        )
        .execute(&mut *connection)
        .await?;
    }
    let room = usize::try_from(MAX_REFUSED_ROWS - cursor.refused).unwrap_or_default();
    let kept = &plan.refused[..plan.refused.len().min(room)];
    if !kept.is_empty() {
        insert_refused_rows(connection, cursor.import_id, kept).await?;
    }
    let room = usize::try_from(MAX_WARNINGS - cursor.warned).unwrap_or_default();
    let kept = &plan.warnings[..plan.warnings.len().min(room)];
    insert_warnings(connection, cursor.import_id, kept).await
}

async fn insert_warnings(
    connection: &mut PgConnection,
    import: ImportId,
    warnings: &[ImportWarning],
) -> Result<(), sqlx::Error> {
    if warnings.is_empty() {
        return Ok(());
    }
    let lines: Vec<i64> = warnings.iter().map(|warning| warning.line).collect();
    let messages: Vec<String> =
        warnings.iter().map(|warning| warning.message.replace('\0', "")).collect();
    sqlx::query!(
        r#"
        insert into import_warning (import_id, line, message)
        select $1, line, message from unnest($2::bigint[], $3::text[]) as w (line, message)
        "#,
        import.as_uuid(),
        &lines,
        &messages,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores what a dry run would do.
pub(crate) async fn insert_previews(
    connection: &mut PgConnection,
    import: ImportId,
    previews: &[ProductPreview],
) -> Result<(), sqlx::Error> {
    if previews.is_empty() {
        return Ok(());
    }
    let lines: Vec<i64> = previews.iter().map(|preview| preview.line).collect();
    let products: Vec<Option<Uuid>> =
        previews.iter().map(|preview| preview.product.map(ProductId::as_uuid)).collect();
    let changes: Vec<String> =
        previews.iter().map(|preview| import_preview::encode(&preview.changes)).collect();
    sqlx::query!(
        r#"
        insert into import_preview (import_id, line, product_id, changes)
        select $1, line, product_id, changes::json
        from unnest($2::bigint[], $3::uuid[], $4::text[]) as p (line, product_id, changes)
        "#,
        import.as_uuid(),
        &lines,
        &products as &[Option<Uuid>],
        &changes,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What a dry run would do, by line.
pub(crate) async fn previews(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<ProductPreview>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select line, product_id, changes::text as "changes!"
        from import_preview where import_id = $1 order by line
        "#,
        id.as_uuid(),
    )
    .fetch_all(connection)
    .await?;
    let preview = |line, product: Option<Uuid>, changes: String| {
        let changes = import_preview::decode(&changes)?;
        Ok(ProductPreview { line, product: product.map(ProductId::from), changes })
    };
    rows.into_iter().map(|row| preview(row.line, row.product_id, row.changes)).collect()
}

/// The imports before `before`, the newest first.
pub(crate) async fn list(
    connection: &mut PgConnection,
    before: Option<ImportId>,
    limit: i64,
) -> Result<Vec<(ImportId, ImportProgress)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"
        select id, state, format, received, created, updated, unchanged, refused, warned, counted, dry_run, reason,
            received_at, finished_at
        from import
        where $1::uuid is null or id < $1
        order by id desc
        limit $2
        "#,
        before.map(ImportId::as_uuid),
        limit,
    )
    .fetch_all(connection)
    .await?;
    let progress = rows.into_iter().map(|row| {
        let progress = ImportProgress {
            state: ImportState::parse(&row.state),
            format: ImportFormat::parse(&row.format),
            received: row.received,
            created: row.created,
            updated: row.updated,
            unchanged: row.unchanged,
            refused: row.refused,
            warned: row.warned,
            counted: row.counted,
            layout: None,
            dry_run: row.dry_run,
            reason: row.reason,
            received_at: row.received_at,
            finished_at: row.finished_at,
        };
        (ImportId::from(row.id), progress)
    });
    Ok(progress.collect())
}

/// The first warnings of an import.
pub(crate) async fn warnings(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<ImportWarning>, sqlx::Error> {
    let rows = sqlx::query!(
        "select line, message from import_warning where import_id = $1 order by line, number limit $2",
        id.as_uuid(),
        MAX_WARNINGS,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| ImportWarning { line: row.line, message: row.message }).collect())
}

async fn insert_refused_rows(
    connection: &mut PgConnection,
    import: ImportId,
    rows: &[RefusedRow],
) -> Result<(), sqlx::Error> {
    let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
    let reasons: Vec<&str> = rows.iter().map(|row| row.reason.as_str()).collect();
    let sources: Vec<&[u8]> = rows.iter().map(|row| row.source.as_slice()).collect();
    sqlx::query!(
        r#"
        insert into import_refusal (import_id, line, reason, source)
        select $1, line, reason, source
        from unnest($2::bigint[], $3::text[], $4::bytea[]) as r (line, reason, source)
        "#,
        import.as_uuid(),
        &lines,
        &reasons as &[&str],
        &sources as &[&[u8]],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Abandons an import. The products written so far stay.
pub(crate) async fn fail(
    connection: &mut PgConnection,
    id: ImportId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update import set state = 'failed', reason = $2, finished_at = $3 where id = $1 and finished_at is null",
        id.as_uuid(),
        reason,
        now,
    )
    .execute(&mut *connection)
    .await?;
    discard_upload(connection, id).await
}

/// Deletes imports finished before `time`, and uploads older than an hour that became no import.
pub(crate) async fn delete_before(
    connection: &mut PgConnection,
    time: DateTime<Utc>,
) -> Result<u64, sqlx::Error> {
    let imports = sqlx::query!("delete from import where finished_at < $1", time)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        r#"
        delete from import_chunk c
        where c.received_at < now() - interval '1 hour' and not exists (select from import i where i.id = c.import_id)
        "#
    )
    .execute(connection)
    .await?;
    Ok(imports.rows_affected())
}
