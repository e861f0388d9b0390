//! Orders as CSV: one row for each line of an order.

use axum::{
    body::Body,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
    response::{IntoResponse as _, Response},
};
use chrono_tz::Tz;
use futures::{StreamExt as _, stream};
use messaging::Outbox;
use problem::Problem;
use vocabulary::{Currency, Money};

use crate::{
    domain::{OrderLine, OrderNumber, costs::Costs},
    storage::{
        order_lists::{self, OrderFilter},
        order_views::OrderView,
    },
};

/// How many orders are read at a time.
const CHUNK: i64 = 500;

/// Makes spreadsheets read UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

const HEADER: [&str; 16] = [
    "number",
    "order_id",
    "placed_at",
    "status",
    "payment",
    "customer_id",
    "sku",
    "title",
    "quantity",
    "unit_price",
    "discount",
    "tax",
    "currency",
    "order_total",
    "cancelled",
    "returned",
];

/// The orders that are left to write.
struct Export {
    outbox: Outbox,
    /// `None` once all orders have been read.
    filter: Option<OrderFilter>,
    zone: Tz,
}

/// A file of all orders that pass the filter, written while it is sent. `None` has no orders.
pub(super) async fn export(
    outbox: Outbox,
    filter: Option<OrderFilter>,
    zone: Tz,
    with_byte_order_mark: bool,
) -> Result<Response, Problem> {
    let mut export = Export { outbox, filter, zone };
    let mut first = Vec::new();
    if with_byte_order_mark {
        first.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
    }
    write(&mut first, [HEADER.map(str::to_owned)]);
    // Read before the head is sent, so that an error is a problem and not half a file.
    first.extend(export.next_chunk().await?.unwrap_or_default());
    let rest = stream::try_unfold(export, async |mut export| {
        let chunk = export.next_chunk().await.inspect_err(|error| {
            tracing::warn!(error = problem::chain(error), "an export of orders broke off");
        })?;
        Ok::<_, sqlx::Error>(chunk.map(|chunk| (chunk, export)))
    });
    let first = stream::once(async { Ok(first) });
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    let body = Body::from_stream(first.chain(rest));
    Ok((headers, body).into_response())
}

impl Export {
    /// The rows of the next orders. No connection is held while they are sent.
    async fn next_chunk(&mut self) -> Result<Option<Vec<u8>>, sqlx::Error> {
        let Some(filter) = &mut self.filter else { return Ok(None) };
        let mut connection = self.outbox.pool().acquire().await?;
        let views = order_lists::list(&mut connection, filter, CHUNK).await?;
        drop(connection);
        filter.before = views.last().map(|last| last.id);
        if views.len() < usize::try_from(CHUNK).unwrap_or_default() {
            self.filter = None;
        }
        let mut chunk = Vec::new();
        for view in &views {
            write(&mut chunk, view.lines.iter().map(|line| row(view, line, self.zone)));
        }
        Ok(Some(chunk))
    }
}

fn row(view: &OrderView, line: &OrderLine, zone: Tz) -> [String; HEADER.len()] {
    let offer = line.offer.as_ref();
    let (price, total) = (offer.map(|offer| offer.price), view.costs.as_ref().map(Costs::total));
    let currency = total.or(price).map(Money::currency);
    // A line without a share has no discount and no tax.
    let share = view.costs.as_ref().map(|costs| costs.shares().get(&line.sku));
    let amount = |amount: Option<i64>| {
        amount.zip(currency).map(|(amount, currency)| decimal(amount, currency)).unwrap_or_default()
    };
    [
        OrderNumber::of(view.id).to_string(),
        view.id.to_string(),
        view.placed_at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        view.status.as_str().to_owned(),
        view.payment.clone().unwrap_or_else(|| "pending".to_owned()),
        view.customer.to_string(),
        line.sku.to_string(),
        offer.map(|offer| offer.title.preferred().to_owned()).unwrap_or_default(),
        line.quantity.get().to_string(),
        amount(price.map(Money::amount)),
        amount(share.map(|share| share.map_or(0, |share| share.discount))),
        amount(share.map(|share| share.map_or(0, |share| share.tax))),
        currency.map(|currency| currency.to_string()).unwrap_or_default(),
        amount(total.map(Money::amount)),
        line.cancelled.to_string(),
        line.returned.to_string(),
    ]
}

/// Writes rows, with cells that no spreadsheet reads as a formula.
fn write(file: &mut Vec<u8>, rows: impl IntoIterator<Item = [String; HEADER.len()]>) {
    let mut writer = csv::Writer::from_writer(file);
    for row in rows {
        // Writing to memory does not fail.
        let _ = writer.write_record(row.map(guarded));
    }
}

/// An amount in the major unit, such as `199.00`.
fn decimal(amount: i64, currency: Currency) -> String {
    let decimals = usize::try_from(currency.decimals()).unwrap_or_default();
    let digits = format!("{amount:0width$}", width = decimals + 1);
    match digits.split_at(digits.len() - decimals) {
        (whole, "") => whole.to_owned(),
        (whole, fraction) => format!("{whole}.{fraction}"),
    }
}

/// Puts an apostrophe before a cell that a spreadsheet would read as a formula.
fn guarded(cell: String) -> String {
    let marks = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];
    if cell.trim_start_matches('\'').starts_with(marks) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::{decimal, guarded};

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let text = |amount, code: &str| decimal(amount, code.parse().unwrap());
        assert_eq!(text(19_900, "CNY"), "199.00");
        assert_eq!(text(5, "CNY"), "0.05");
        assert_eq!(text(0, "CNY"), "0.00");
        assert_eq!(text(1_980, "JPY"), "1980");
        assert_eq!(text(1_234, "KWD"), "1.234");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, shown) in [
            ("=1+1", "'=1+1"),
            ("-2", "'-2"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("KB-F87", "KB-F87"),
            ("键盘=好", "键盘=好"),
        ] {
            assert_eq!(guarded(cell.to_owned()), shown);
        }
    }
}
