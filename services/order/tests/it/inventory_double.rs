//! A double of inventory. The prefix of a SKU selects the answer.

use chrono::Utc;
use contracts::{
    inventory::{
        Allocation, Shortage, StockAvailabilityChangedV1, StockDeductedV1, StockLowV1,
        StockRejectedV1, StockRejection, StockReleasedV1, StockReservedV1,
    },
    order::{
        ORDER, OrderCancelledV1, OrderConfirmedV1, OrderDeliveredV1, OrderExpiredV1, OrderLine,
        OrderLineCancelledV1, OrderParcelShippedV1, OrderPaymentFailedV1, OrderPlacedV1,
        OrderRejectedV1, OrderReturnReceivedV1, OrderShippedV1, ParcelLine,
    },
};
use envelope::Event;
use messaging::{Batch, Failure, Handler, OnReject, Subscription, Topology, Transaction};
use uuid::Uuid;
use vocabulary::{OrderId, Quantity};

/// The reservations of orders, each with the number of events that ended the order, and the pieces of the parcels that shipped; and the
/// pieces of returns.
pub(crate) const TABLES: &str = "create table received_return (
    return_id uuid primary key,
    warehouse_id uuid,
    restocked bigint not null,
    written_off bigint not null
);
create table reservation (
    order_id uuid primary key,
    state text not null,
    end_events bigint not null default 0,
    parcel_pieces bigint not null default 0,
    cancelled_pieces bigint not null default 0
)";

pub(crate) fn topology() -> Topology {
    Topology::new("inventory")
        .publishes::<StockReservedV1>()
        .publishes::<StockRejectedV1>()
        .publishes::<StockReleasedV1>()
        .publishes::<StockDeductedV1>()
        .publishes::<StockAvailabilityChangedV1>()
        .publishes::<StockLowV1>()
        .subscribes(
            Subscription::to(ORDER, ["order"], OnReject::BlockKey)
                .on(AnswerOrder)
                .on(CountParcel)
                .on(DeductStock)
                .on(CountReturn)
                .on(CountCancelled)
                .on(ReleaseStock(|event: &OrderCancelledV1| event.order_id))
                .on(ReleaseStock(|event: &OrderExpiredV1| event.order_id))
                .on(ReleaseStock(|event: &OrderPaymentFailedV1| event.order_id))
                .ignores::<OrderConfirmedV1>()
                .ignores::<OrderDeliveredV1>()
                .ignores::<OrderRejectedV1>(),
        )
}

#[expect(clippy::disallowed_methods, reason = "the double has its own clock")]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}

/// SKUs with the prefix `SPLIT-` come from two warehouses, one piece from the first; others are not told.
fn allocations(lines: &[OrderLine]) -> Option<Vec<Allocation>> {
    let line = lines.iter().find(|line| line.sku.as_str().starts_with("SPLIT-"))?;
    let allocation = |warehouse: u128, quantity| Allocation {
        sku: line.sku.clone(),
        warehouse_id: Uuid::from_u128(warehouse).into(),
        quantity: Quantity::new(quantity).unwrap(),
    };
    Some(vec![allocation(1, 1), allocation(2, line.quantity.get() - 1)])
}

/// The lock of the stock of SKUs with the prefix `SLOW-`. A transaction that holds it stops their reservations.
pub(crate) const SLOW_LOCK: i64 = 1;

/// How long the reservation of such a SKU takes.
const SLOW_SECONDS: f64 = 0.004;

/// Reserves, except for SKUs with a prefix: `OUT-` is out of stock, `UNKNOWN-` is unknown, `SILENT-` gets no answer. `SLOW-` takes a while,
/// one reservation at a time.
struct AnswerOrder;

impl Handler for AnswerOrder {
    type Event = OrderPlacedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderPlacedV1>,
    ) -> Result<(), Failure> {
        let is_slow = |line: &OrderLine| line.sku.as_str().starts_with("SLOW-");
        let slow =
            batch.delivered().iter().filter(|delivered| delivered.event.lines.iter().any(is_slow));
        let slow = i32::try_from(slow.count()).unwrap_or(i32::MAX);
        if slow > 0 {
            let _: i32 = sqlx::query_scalar(
                "select 1 from pg_advisory_xact_lock($1), pg_sleep($2::float8 * $3::float8)",
            )
            .bind(SLOW_LOCK)
            .bind(SLOW_SECONDS)
            .bind(f64::from(slow))
            .fetch_one(&mut **tx)
            .await?;
        }
        for delivered in batch.delivered() {
            let (order_id, lines) = (delivered.event.order_id, &delivered.event.lines);
            let with_prefix =
                |prefix: &str| lines.iter().find(|line| line.sku.as_str().starts_with(prefix));
            let (state, rejection) =
                match (with_prefix("OUT-"), with_prefix("UNKNOWN-"), with_prefix("SILENT-")) {
                    (Some(line), ..) => {
                        ("rejected", Some((line, StockRejection::InsufficientStock)))
                    }
                    (_, Some(line), _) => ("rejected", Some((line, StockRejection::UnknownSku))),
                    (_, _, Some(_)) => ("silent", None),
                    (None, None, None) => ("reserved", None),
                };
            if let Some((line, reason)) = rejection {
                let requested = i64::from(line.quantity.get());
                let shortages = vec![Shortage { sku: line.sku.clone(), requested, available: 1 }];
                tx.emit_caused_by(
                    delivered.cause,
                    &StockRejectedV1 { order_id, reason, shortages, rejected_at: now() },
                )?;
            } else if state == "reserved" {
                let left = with_prefix("SCARCE-").map(|_| 3);
                tx.emit_caused_by(
                    delivered.cause,
                    &StockReservedV1 {
                        order_id,
                        reserved_at: now(),
                        left,
                        allocations: allocations(lines),
                    },
                )?;
            }
            let _: i32 = sqlx::query_scalar(
                "insert into reservation (order_id, state) values ($1, $2) returning 1",
            )
            .bind(order_id.as_uuid())
            .bind(state)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

/// Releases the reservation of an order that ended.
struct ReleaseStock<E>(fn(&E) -> OrderId);

impl<E: Event> Handler for ReleaseStock<E> {
    type Event = E;

    async fn handle(&self, tx: &mut Transaction, batch: &mut Batch<E>) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let order_id = (self.0)(&delivered.event);
            let was_reserved: bool = sqlx::query_scalar(
                "update reservation r set end_events = r.end_events + 1,
                     state = case r.state when 'reserved' then 'released' else r.state end
                 from reservation before
                 where r.order_id = $1 and before.order_id = r.order_id
                 returning before.state = 'reserved'",
            )
            .bind(order_id.as_uuid())
            .fetch_one(&mut **tx)
            .await?;
            if was_reserved {
                tx.emit_caused_by(
                    delivered.cause,
                    &StockReleasedV1 { order_id, released_at: now() },
                )?;
            }
        }
        Ok(())
    }
}

/// Deducts the reservation of a shipped order.
struct DeductStock;

impl Handler for DeductStock {
    type Event = OrderShippedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderShippedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let order_id = delivered.event.order_id;
            let _: i32 = sqlx::query_scalar(
                "update reservation set state = 'deducted' where order_id = $1 and state = 'reserved' returning 1",
            )
            .bind(order_id.as_uuid())
            .fetch_one(&mut **tx)
            .await?;
            tx.emit_caused_by(delivered.cause, &StockDeductedV1 { order_id, deducted_at: now() })?;
        }
        Ok(())
    }
}

/// Counts the pieces of a parcel.
struct CountParcel;

impl Handler for CountParcel {
    type Event = OrderParcelShippedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderParcelShippedV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let lines = delivered.event.lines.iter();
            let pieces: i64 = lines.map(|line| i64::from(line.quantity.get())).sum();
            let _: i32 = sqlx::query_scalar(
                "update reservation set parcel_pieces = parcel_pieces + $2 where order_id = $1 returning 1",
            )
            .bind(delivered.event.order_id.as_uuid())
            .bind(pieces)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

/// Counts the pieces of a return; a second event for it would fail.
struct CountReturn;

impl Handler for CountReturn {
    type Event = OrderReturnReceivedV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderReturnReceivedV1>,
    ) -> Result<(), Failure> {
        let pieces =
            |lines: &[ParcelLine]| lines.iter().map(|line| i64::from(line.quantity.get())).sum();
        for delivered in batch.delivered() {
            let (restocked, written_off): (i64, i64) =
                (pieces(&delivered.event.restocked), pieces(&delivered.event.written_off));
            let _: i32 = sqlx::query_scalar(
                "insert into received_return values ($1, $2, $3, $4) returning 1",
            )
            .bind(delivered.event.return_id.as_uuid())
            .bind(delivered.event.warehouse_id.map(Uuid::from))
            .bind(restocked)
            .bind(written_off)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
}

/// Counts the pieces of cancelled lines.
struct CountCancelled;

impl Handler for CountCancelled {
    type Event = OrderLineCancelledV1;

    async fn handle(
        &self,
        tx: &mut Transaction,
        batch: &mut Batch<OrderLineCancelledV1>,
    ) -> Result<(), Failure> {
        for delivered in batch.delivered() {
            let pieces = delivered.event.pieces.iter();
            let pieces: i64 = pieces.map(|pieces| i64::from(pieces.quantity.get())).sum();
            let _: i32 = sqlx::query_scalar(
                "update reservation set cancelled_pieces = cancelled_pieces + $2 where order_id = $1 returning 1",
            )
            .bind(delivered.event.order_id.as_uuid())
            .bind(pieces)
            .fetch_one(&mut **tx)
            .await?;
        }
        Ok(())
    }
}
