//! `GET /v1/reports/{name}`

use axum::extract::State;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use messaging::Kit;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Serialize;
use sqlx::PgConnection;
use vocabulary::ProductId;

use super::span::Span;
use crate::storage::reports;

/// How many products the report of top products has.
const TOP_PRODUCTS: i64 = 100;

/// The reports that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Report {
    DailyEvents,
    TopProducts,
    Conservation,
}

impl Report {
    const ALL: [Self; 3] = [Self::DailyEvents, Self::TopProducts, Self::Conservation];

    const fn name(self) -> &'static str {
        match self {
            Self::DailyEvents => "daily-events",
            Self::TopProducts => "top-products",
            Self::Conservation => "conservation",
        }
    }

    fn named(name: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|report| report.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name);
            Problem::not_found(format_args!("such report; there are {}", names.join(", ")))
                .member("reports", names.map(String::from).to_vec())
        })
    }
}

/// A report.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ReportAnswer {
    #[schema(value_type = String, example = "daily-events")]
    name: &'static str,
    /// When it was computed.
    generated_at: DateTime<Utc>,
    /// Its rows.
    #[schema(inline)]
    items: Rows,
}

/// The rows of a report.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum Rows {
    /// Of `daily-events`.
    DailyEvents(Vec<DailyEventsRow>),
    /// Of `top-products`.
    TopProducts(Vec<TopProductRow>),
    /// Of `conservation`: one row.
    Conservation([ConservationRow; 1]),
}

/// The events of one kind on one day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DailyEventsRow {
    /// The day, in UTC, on which they were taken in.
    day: NaiveDate,
    /// Their kind.
    #[serde(rename = "type")]
    kind: String,
    events: i64,
    visitors: i64,
}

/// What people did with a product.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TopProductRow {
    product_id: ProductId,
    views: i64,
    clicks: i64,
    carts: i64,
    orders: i64,
}

/// What became of every event that was accepted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConservationRow {
    /// Read from the stream: each is stored, a duplicate or dropped.
    received: i64,
    /// Stored: each is kept, erased or expired.
    stored: i64,
    /// Sent more than once.
    duplicates: i64,
    /// Of visitors who had been erased.
    dropped: i64,
    /// Stored now.
    kept: i64,
    /// Gone with their visitors.
    erased: i64,
    /// Gone because they grew old.
    expired: i64,
    /// Whether all of it adds up.
    holds: bool,
}

/// A report over all that is stored, computed when it is asked for: `daily-events`, `top-products` (both over the last 30 days
/// unless said) or `conservation` (over everything).
#[utoipa::path(
    get, path = "/v1/reports/{name}", tag = "analytics", params(("name" = String, Path), Span),
    responses(
        (status = 200, body = ReportAnswer),
        (status = 404, body = Problem, description = "`not_found`: lists the reports that there are"),
    ),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_report(
    caller: Caller,
    State(kit): State<Kit>,
    Path(name): Path<String>,
    Query(span): Query<Span>,
) -> Result<Json<ReportAnswer>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let report = Report::named(&name)?;
    let generated_at = clock::now();
    let bounds = span.bounds(TimeDelta::days(30), generated_at)?;
    let mut connection = kit.pool().acquire().await?;
    let items = match report {
        Report::DailyEvents => daily_events(&mut connection, bounds).await?,
        Report::TopProducts => top_products(&mut connection, bounds).await?,
        Report::Conservation => conservation(&mut connection).await?,
    };
    Ok(Json(ReportAnswer { name: report.name(), generated_at, items }))
}

async fn daily_events(
    connection: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Rows, sqlx::Error> {
    let rows = reports::daily_events(connection, from, to).await?;
    let rows = rows.into_iter().map(|row| DailyEventsRow {
        day: row.day,
        kind: row.kind,
        events: row.events,
        visitors: row.visitors,
    });
    Ok(Rows::DailyEvents(rows.collect()))
}

async fn top_products(
    connection: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Rows, sqlx::Error> {
    let rows = reports::top_products(connection, from, to, TOP_PRODUCTS).await?;
    let rows = rows.into_iter().map(|row| TopProductRow {
        product_id: row.product_id.into(),
        views: row.views,
        clicks: row.clicks,
        carts: row.carts,
        orders: row.orders,
    });
    Ok(Rows::TopProducts(rows.collect()))
}

async fn conservation(connection: &mut PgConnection) -> Result<Rows, sqlx::Error> {
    let found = reports::conservation(connection).await?;
    Ok(Rows::Conservation([ConservationRow {
        received: found.received,
        stored: found.stored,
        duplicates: found.duplicates,
        dropped: found.dropped,
        kept: found.kept,
        erased: found.erased,
        expired: found.expired,
        holds: found.holds(),
    }]))
}
