//! Imports, their unprocessed rows, and their refused rows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vocabulary::ImportId;

use crate::domain::{
    ImportCursor, ImportFormat, ImportPlan, ImportProgress, ImportState, ReceivedImport,
    RefusedRow, Row,
};

/// The maximum number of refused rows stored per import.
const MAX_REFUSED_ROWS: i64 = 1_000;

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
    let is_empty = import.chunks == 0;
    let state = if is_empty { ImportState::Done } else { ImportState::Running };
    sqlx::query!(
        r#"
        insert into import (id, state, format, header, received, chunks, traceparent, received_at, finished_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        import.id.as_uuid(),
        state.as_str(),
        import.format().as_str(),
        import.header,
        import.rows,
        import.chunks,
        import.traceparent,
        import.received_at,
        is_empty.then_some(import.received_at),
    )
    .execute(connection)
    .await?;
    Ok(())
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
        where import_id = $1 and not exists (select from import where id = $1 and state = 'running')
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
        select state, format, received, created, updated, unchanged, refused, reason, received_at, finished_at
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
    Ok(rows.into_iter().map(|row| RefusedRow { line: row.line, reason: row.reason }).collect())
}

/// The cursor of the oldest running import that no other importer has locked. It stays locked until the
/// transaction ends.
pub(crate) async fn lock_next(
    connection: &mut PgConnection,
) -> Result<Option<ImportCursor>, sqlx::Error> {
    let row = sqlx::query!(
        r#"
        select id as import_id, header, chunks, next_chunk, next_row, refused, traceparent
        from import
        where state = 'running'
        order by id
        limit 1
        for update skip locked
        "#,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| ImportCursor {
        import_id: row.import_id.into(),
        header: row.header,
        chunks: row.chunks,
        next_chunk: row.next_chunk,
        next_row: row.next_row,
        refused: row.refused,
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
            state = case when $8 then 'done' else state end,
            finished_at = case when $8 then $9::timestamptz end
        where id = $1
        "#,
        cursor.import_id.as_uuid(),
        next.0,
        next.1,
        plan.created,
        plan.updated,
        plan.unchanged,
        refused,
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
    Ok(())
}

async fn insert_refused_rows(
    connection: &mut PgConnection,
    import: ImportId,
    rows: &[RefusedRow],
) -> Result<(), sqlx::Error> {
    let lines: Vec<i64> = rows.iter().map(|row| row.line).collect();
    let reasons: Vec<&str> = rows.iter().map(|row| row.reason.as_str()).collect();
    sqlx::query!(
        r#"
        insert into import_refusal (import_id, line, reason)
        select $1, line, reason from unnest($2::bigint[], $3::text[]) as r (line, reason)
        "#,
        import.as_uuid(),
        &lines,
        &reasons as &[&str],
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
        "update import set state = 'failed', reason = $2, finished_at = $3 where id = $1 and state = 'running'",
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
