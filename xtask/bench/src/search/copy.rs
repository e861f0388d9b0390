//! The limit of an import: PostgreSQL's COPY of the same products and variants, in one transaction, into tables of
//! the same shape with the same indexes and constraints. Nothing is parsed, validated or published.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use sqlx::{PgPool, Postgres, pool::PoolConnection};

use crate::{error::Error, statistics::median};

/// How often it is measured; the median counts.
const ROUNDS: usize = 3;

/// The tables, the referenced one first.
const TABLES: [&str; 2] = ["product", "variant"];

/// Fresh tables beside the catalogue's.
const CREATE: &str = "
    drop schema if exists copied cascade;
    create schema copied;
    create table copied.product (like public.product including all);
    create table copied.variant (like public.variant including all);
    alter table copied.variant add foreign key (product_id) references copied.product;
    checkpoint;
";

/// Products per second.
pub(super) async fn products_per_second(database: &PgPool, products: u64) -> Result<f64, Error> {
    let mut connection = database.acquire().await?;
    let mut rows = Vec::new();
    for table in TABLES {
        let copy = format!("copy public.{table} to stdout");
        let chunks = connection.copy_out_raw(&copy).await?;
        rows.push(
            chunks
                .try_fold(Vec::new(), async |mut rows, chunk| {
                    rows.extend_from_slice(&chunk);
                    Ok(rows)
                })
                .await?,
        );
    }
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        sqlx::raw_sql(CREATE).execute(&mut *connection).await?;
        rates.push(super::rate(products, copy(&mut connection, &rows).await?));
    }
    sqlx::raw_sql("drop schema copied cascade").execute(&mut *connection).await?;
    Ok(median(rates))
}

async fn copy(
    connection: &mut PoolConnection<Postgres>,
    rows: &[Vec<u8>],
) -> Result<Duration, Error> {
    let began = Instant::now();
    sqlx::raw_sql("begin").execute(&mut **connection).await?;
    for (table, rows) in TABLES.into_iter().zip(rows) {
        let mut copy = connection.copy_in_raw(&format!("copy copied.{table} from stdin")).await?;
        copy.send(rows.as_slice()).await?;
        copy.finish().await?;
    }
    sqlx::raw_sql("commit").execute(&mut **connection).await?;
    Ok(began.elapsed())
}
