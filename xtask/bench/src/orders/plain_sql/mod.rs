//! The limits: plain SQL by `pgbench`, on the same server with the same durability. Nothing is authenticated, parsed or
//! published.

use std::{fs, time::Duration};

use sqlx::PgPool;
use suite::Error as SuiteError;

use super::shop::{FLASH_STOCK, Shop};
use crate::error::Error;

/// The numbers of clients; the best one counts.
const CLIENTS: [u32; 4] = [1, 4, 16, 64];

/// Threads of pgbench.
const THREADS: u32 = 2;

/// Timeout beyond the duration of a run.
const TIMEOUT: Duration = Duration::from_mins(1);

const DATABASE: &str = "plain";

const SCHEMA: &str = include_str!("schema.sql");

/// Inserts the rows that placing an order inserts.
const PLACE_ORDER: &str = include_str!("place_order.sql");

/// The textbook: locks the stock, decides, inserts the order.
const ROW_LOCK: &str = include_str!("row_lock.sql");

/// A database with the tables of orders.
pub(super) struct PlainSql<'a> {
    shop: &'a Shop,
    database: PgPool,
}

impl<'a> PlainSql<'a> {
    /// Creates the database. Fails if the server does not sync its log to the disk.
    pub(super) async fn new(shop: &'a Shop) -> Result<Self, Error> {
        let database = PgPool::connect(&shop.postgres().create_database(DATABASE).await?).await?;
        let is_durable: bool = sqlx::query_scalar(
            "select current_setting('fsync')::boolean and current_setting('synchronous_commit') = 'on'",
        )
        .fetch_one(&database)
        .await?;
        if is_durable {
            Ok(Self { shop, database })
        } else {
            Err(Error::Inconsistent("PostgreSQL is not durable".to_owned()))
        }
    }

    /// Transactions that place an order, per second, with the best number of clients.
    pub(super) async fn transactions_per_second(&self, duration: Duration) -> Result<f64, Error> {
        let mut best = f64::NAN;
        for clients in CLIENTS {
            self.create_tables().await?;
            best = best.max(self.pgbench(PLACE_ORDER, clients, duration).await?);
        }
        Ok(best)
    }

    /// Orders of a flash sale per second, with the best number of clients.
    pub(super) async fn row_lock_orders_per_second(
        &self,
        duration: Duration,
    ) -> Result<f64, Error> {
        let mut best = f64::NAN;
        for clients in CLIENTS {
            self.create_tables().await?;
            best = best.max(self.pgbench(ROW_LOCK, clients, duration).await?);
            let confirmed: i64 =
                sqlx::query_scalar("select count(*) from orders where status = 'confirmed'")
                    .fetch_one(&self.database)
                    .await?;
            if u64::try_from(confirmed) != Ok(FLASH_STOCK) {
                let found =
                    format!("row lock: {confirmed} confirmed orders for {FLASH_STOCK} pieces");
                return Err(Error::Inconsistent(found));
            }
        }
        Ok(best)
    }

    /// Empty tables.
    async fn create_tables(&self) -> Result<(), Error> {
        sqlx::raw_sql(SCHEMA).execute(&self.database).await?;
        Ok(())
    }

    /// Transactions per second.
    async fn pgbench(&self, script: &str, clients: u32, duration: Duration) -> Result<f64, Error> {
        let (path, log) = (self.shop.file("pgbench.sql"), self.shop.file("pgbench.log"));
        for (path, text) in [(&path, script), (&log, "")] {
            fs::write(path, text).map_err(SuiteError::file(path))?;
        }
        let program = self
            .shop
            .postgres()
            .client("pgbench", &log)
            .arguments(["--no-vacuum", "--protocol=prepared", "--define=number=0"])
            .arguments(["--client", &clients.to_string()])
            .arguments(["--jobs", &clients.min(THREADS).to_string()])
            .arguments(["--time", &duration.as_secs().to_string()])
            .argument("--file")
            .argument(&path)
            .argument(DATABASE);
        program.start()?.wait_for_success(TIMEOUT + duration).await?;
        let text = fs::read_to_string(&log).map_err(SuiteError::file(&log))?;
        tps(&text).ok_or(Error::Inconsistent(text))
    }
}

/// The transactions per second in the report of pgbench, without the time to connect. Nothing if one has failed.
fn tps(report: &str) -> Option<f64> {
    let value = |name: &str| {
        let rest = report.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse::<f64>().ok()
    };
    // Before PostgreSQL 15 failed transactions end the run.
    let failed = value("number of failed transactions:").unwrap_or_default();
    value("tps =").filter(|_| failed <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::tps;

    const REPORT: &str = "pgbench (15.18)\n\
                          number of transactions actually processed: 7\n\
                          number of failed transactions: 0 (0.000%)\n\
                          latency average = 1.5 ms\n\
                          tps = 654.25 (without initial connection time)\n";

    #[test]
    fn rate_is_read_from_the_report() {
        assert_eq!(tps(REPORT).map(|tps| tps.to_string()).as_deref(), Some("654.25"));
    }

    #[test]
    fn reports_with_failures_or_without_a_rate_are_refused() {
        assert_eq!(tps(&REPORT.replace("failed transactions: 0", "failed transactions: 2")), None);
        assert_eq!(tps("pgbench: error: connection refused"), None);
    }
}
