//! `GET /v1/reports/{name}`

use axum::extract::State;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use messaging::Outbox;
use problem::{Json, Path, Problem, Query};
use runtime::{
    auth::{Caller, Scope},
    clock,
};
use serde::Serialize;
use sqlx::PgConnection;
use vocabulary::ProductId;

use super::period::PeriodParameters;
use crate::storage::reports;

/// The length of the report `top-products`.
const TOP_PRODUCTS: i64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReportName {
    DailyEvents,
    TopProducts,
    EventVerdicts,
    Conservation,
}

impl ReportName {
    const ALL: [Self; 4] =
        [Self::DailyEvents, Self::TopProducts, Self::EventVerdicts, Self::Conservation];

    const fn as_str(self) -> &'static str {
        match self {
            Self::DailyEvents => "daily-events",
            Self::TopProducts => "top-products",
            Self::EventVerdicts => "event-verdicts",
            Self::Conservation => "conservation",
        }
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        Self::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            Problem::not_found(format_args!("such report; available are {}", names.join(", ")))
                .member("reports", names.map(String::from).to_vec())
        })
    }
}

/// A report, computed on request.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct ReportResponse {
    #[schema(value_type = String, example = "daily-events")]
    name: &'static str,
    generated_at: DateTime<Utc>,
    #[schema(inline)]
    items: ReportRows,
}

/// The rows of a report; their type depends on the report.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
enum ReportRows {
    DailyEvents(Vec<DailyEventsRow>),
    TopProducts(Vec<TopProductRow>),
    EventVerdicts(Vec<EventVerdictRow>),
    Conservation([ConservationRow; 1]),
}

/// The events of one type that were received on one day.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct DailyEventsRow {
    /// In UTC.
    day: NaiveDate,
    #[serde(rename = "type")]
    kind: String,
    events: i64,
    /// Those of them that no rule excludes.
    counted: i64,
    /// Distinct visitors.
    visitors: i64,
}

/// The events that were received on one day with one verdict.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct EventVerdictRow {
    /// In UTC.
    day: NaiveDate,
    /// `counted`, or the rule that excludes the events: `no_consent`, `known_agent`, `address_visitors`, `day_rate`,
    /// `minute_rate`, `pauses`, `unknown_product` or `repeated`.
    verdict: String,
    /// Whether the visitors have a signature.
    signed: bool,
    events: i64,
    /// How much these events count together.
    weight: f64,
}

/// How often visitors interacted with a product. Events that a rule excludes do not count.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TopProductRow {
    product_id: ProductId,
    views: i64,
    clicks: i64,
    carts: i64,
    /// Paid orders.
    orders: i64,
}

/// The outcomes of all events that were read from the stream.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConservationRow {
    /// The sum of `stored`, `duplicates` and `dropped`.
    received: i64,
    /// The sum of `kept`, `erased` and `expired`.
    stored: i64,
    /// Events that were sent more than once.
    duplicates: i64,
    /// Events of visitors who were erased before.
    dropped: i64,
    /// Stored events that still exist.
    kept: i64,
    /// Stored events that were deleted with their visitor.
    erased: i64,
    /// Stored events that were deleted because of their age.
    expired: i64,
    /// Whether both sums are correct.
    holds: bool,
}

/// Get a report
///
/// The reports are `daily-events`, `top-products`, `event-verdicts` (over the last 30 days by default) and
/// `conservation` (over all events). They are computed on request.
#[utoipa::path(
    get, path = "/v1/reports/{name}", tag = "analytics", params(("name" = String, Path), PeriodParameters),
    responses(
        (status = 200, body = ReportResponse),
        (status = 404, body = Problem, description = "`not_found`: `reports` lists the available reports"),
    ),
    security(("bearer" = ["analytics:read"]))
)]
pub(super) async fn get_report(
    caller: Caller,
    State(outbox): State<Outbox>,
    Path(name): Path<String>,
    Query(period): Query<PeriodParameters>,
) -> Result<Json<ReportResponse>, Problem> {
    caller.require(Scope::AnalyticsRead)?;
    let name = ReportName::parse(&name)?;
    let generated_at = clock::now();
    let bounds = period.bounds(TimeDelta::days(30), generated_at)?;
    let mut connection = outbox.pool().acquire().await?;
    let items = match name {
        ReportName::DailyEvents => daily_events(&mut connection, bounds).await?,
        ReportName::TopProducts => top_products(&mut connection, bounds).await?,
        ReportName::EventVerdicts => event_verdicts(&mut connection, bounds).await?,
        ReportName::Conservation => conservation(&mut connection).await?,
    };
    Ok(Json(ReportResponse { name: name.as_str(), generated_at, items }))
}

async fn daily_events(
    connection: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<ReportRows, sqlx::Error> {
    let rows = reports::daily_events(connection, from, to).await?;
    let rows = rows.into_iter().map(|row| DailyEventsRow {
        day: row.day,
        kind: row.kind,
        events: row.events,
        counted: row.counted,
        visitors: row.visitors,
    });
    Ok(ReportRows::DailyEvents(rows.collect()))
}

async fn top_products(
    connection: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<ReportRows, sqlx::Error> {
    let rows = reports::top_products(connection, from, to, TOP_PRODUCTS).await?;
    let rows = rows.into_iter().map(|row| TopProductRow {
        product_id: row.product_id.into(),
        views: row.views,
        clicks: row.clicks,
        carts: row.carts,
        orders: row.orders,
    });
    Ok(ReportRows::TopProducts(rows.collect()))
}

async fn event_verdicts(
    connection: &mut PgConnection,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
) -> Result<ReportRows, sqlx::Error> {
    let rows = reports::verdicts(connection, from, to).await?;
    let rows = rows.into_iter().map(|row| EventVerdictRow {
        day: row.day,
        verdict: row.verdict,
        signed: row.signed,
        events: row.events,
        weight: row.weight,
    });
    Ok(ReportRows::EventVerdicts(rows.collect()))
}

async fn conservation(connection: &mut PgConnection) -> Result<ReportRows, sqlx::Error> {
    let found = reports::conservation(connection).await?;
    Ok(ReportRows::Conservation([ConservationRow {
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
