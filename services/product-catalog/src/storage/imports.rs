//! Imports, their rows until they are worked off, and the rows that were refused.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use vocabulary::ImportId;

use crate::domain::{Plan, Refusal, Row};

/// How many refused rows are kept of one import.
pub(crate) const MAX_REFUSALS: i64 = 1_000;

/// Stores the next rows of an import that still arrives.
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

/// An import that has arrived as a whole.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) id: ImportId,
    /// The header of a CSV file; else it is NDJSON.
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) rows: i64,
    pub(crate) chunks: i32,
    pub(crate) traceparent: Option<String>,
    pub(crate) at: DateTime<Utc>,
}

/// Notes that an import has arrived: from now on it will be worked off, whatever happens.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    import: &Arrived,
) -> Result<(), sqlx::Error> {
    let empty = import.chunks == 0;
    sqlx::query!(
        r#"
        insert into import (id, state, format, header, received, chunks, traceparent, received_at, finished_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        "#,
        import.id.as_uuid(),
        if empty { "done" } else { "running" },
        if import.header.is_some() { "csv" } else { "ndjson" },
        import.header,
        import.rows,
        import.chunks,
        import.traceparent,
        import.at,
        empty.then_some(import.at),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Gives up the rows of an upload that became no import. Whoever asks may not know whether it did, for a commit whose answer
/// was lost may have taken place.
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

/// How an import goes.
#[derive(Debug)]
pub(crate) struct Progress {
    pub(crate) state: String,
    pub(crate) format: String,
    pub(crate) received: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) refused: i64,
    pub(crate) reason: Option<String>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) finished_at: Option<DateTime<Utc>>,
}

/// How an import goes.
pub(crate) async fn progress(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Option<Progress>, sqlx::Error> {
    sqlx::query_as!(
        Progress,
        r#"
        select state, format, received, created, updated, unchanged, refused, reason, received_at, finished_at
        from import where id = $1
        "#,
        id.as_uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// The first refused rows of an import.
pub(crate) async fn refusals(
    connection: &mut PgConnection,
    id: ImportId,
) -> Result<Vec<Refusal>, sqlx::Error> {
    sqlx::query_as!(
        Refusal,
        "select line, reason from import_refusal where import_id = $1 order by line limit $2",
        id.as_uuid(),
        MAX_REFUSALS,
    )
    .fetch_all(connection)
    .await
}

/// Where work on an import goes on.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) import_id: ImportId,
    pub(crate) header: Option<Vec<u8>>,
    pub(crate) chunks: i32,
    pub(crate) next_chunk: i32,
    pub(crate) next_row: i32,
    pub(crate) refused: i64,
    pub(crate) traceparent: Option<String>,
}

/// The oldest import that nobody is working on; it is ours until the transaction ends.
pub(crate) async fn lock_next(
    connection: &mut PgConnection,
) -> Result<Option<Cursor>, sqlx::Error> {
    sqlx::query_as!(
        Cursor,
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
    .await
}

/// The rows of a chunk.
pub(crate) async fn chunk(
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

/// Moves the cursor on over what `plan` covers, to `next` (chunk and row), and finishes the import where that is the end.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    cursor: &Cursor,
    plan: &Plan,
    next: (i32, i32),
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let refused = i64::try_from(plan.refusals.len()).unwrap_or(i64::MAX);
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
    let room = usize::try_from(MAX_REFUSALS - cursor.refused).unwrap_or_default();
    let kept = &plan.refusals[..plan.refusals.len().min(room)];
    if !kept.is_empty() {
        refuse(connection, cursor.import_id, kept).await?;
    }
    Ok(())
}

async fn refuse(
    connection: &mut PgConnection,
    import: ImportId,
    refusals: &[Refusal],
) -> Result<(), sqlx::Error> {
    let lines: Vec<i64> = refusals.iter().map(|refusal| refusal.line).collect();
    let reasons: Vec<&str> = refusals.iter().map(|refusal| refusal.reason.as_str()).collect();
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

/// Gives an import up. What of it was worked off stays.
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

/// Forgets imports that were finished before `time`, and uploads older than an hour that never became an import.
pub(crate) async fn forget(
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
