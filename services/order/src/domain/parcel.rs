//! The parcels of an order: each is what one warehouse sends.

use std::mem;

use vocabulary::{OrderId, ParcelId, Quantity, Sku, WarehouseId};

use super::{
    fulfilment::{Fulfilment, Pieces},
    line::OrderLine,
    parcel_status::ParcelStatus,
    status::OrderStatus,
};

/// How an order is divided into parcels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Parcels {
    /// One parcel with all lines. Its id is that of the order, and its status follows from that of the order, so it needs no row.
    One {
        /// `None` until inventory has told it. An earlier version of inventory does not.
        warehouse: Option<WarehouseId>,
    },
    /// Two or more, each with lines; or what is left of them after pieces were cancelled.
    Several(Vec<Parcel>),
}

/// What one warehouse sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) id: ParcelId,
    pub(crate) warehouse: Option<WarehouseId>,
    /// Sorted by SKU.
    pub(crate) lines: Vec<ParcelLine>,
    pub(crate) status: ParcelStatus,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParcelLine {
    pub(crate) sku: Sku,
    pub(crate) quantity: Quantity,
}

/// Cancelled pieces of a SKU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CancelledPieces {
    /// The warehouse that holds them, if that is known.
    pub(crate) warehouse: Option<WarehouseId>,
    pub(crate) quantity: Quantity,
}

/// A number of pieces of a SKU that a warehouse holds for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allocation {
    pub(crate) sku: Sku,
    pub(crate) warehouse: WarehouseId,
    pub(crate) quantity: Quantity,
}

impl Parcels {
    /// The parcels of an order with these lines: one for each warehouse. All lines are in one parcel if inventory does not tell, or
    /// tells something else than the lines.
    pub(crate) fn of(
        lines: &[OrderLine],
        allocations: &[Allocation],
        mut new_id: impl FnMut() -> ParcelId,
    ) -> Self {
        let mut parcels: Vec<Parcel> = Vec::new();
        for Allocation { sku, warehouse, quantity } in allocations {
            let line = ParcelLine { sku: sku.clone(), quantity: *quantity };
            let found = parcels.iter_mut().find(|parcel| parcel.warehouse == Some(*warehouse));
            match found {
                Some(parcel) => parcel.lines.push(line),
                None => parcels.push(Parcel {
                    id: new_id(),
                    warehouse: Some(*warehouse),
                    lines: vec![line],
                    status: ParcelStatus::Pending,
                }),
            }
        }
        let is_complete = lines.iter().all(|line| {
            let parts = allocations.iter().filter(|allocation| allocation.sku == line.sku);
            let sum: u64 = parts.map(|allocation| u64::from(allocation.quantity.get())).sum();
            sum == u64::from(line.quantity.get())
        });
        match &mut *parcels {
            [only] => Self::One { warehouse: only.warehouse },
            [_, _, ..] if is_complete => {
                for parcel in &mut parcels {
                    parcel.lines.sort_by(|a, b| a.sku.cmp(&b.sku));
                }
                Self::Several(parcels)
            }
            _ => Self::One { warehouse: None },
        }
    }

    /// Each parcel, of an order with this id, status and lines.
    pub(crate) fn list(
        &self,
        order: OrderId,
        status: OrderStatus,
        lines: &[OrderLine],
    ) -> Vec<Parcel> {
        match self {
            Self::One { warehouse } => {
                let line = |line: &OrderLine| {
                    let quantity = Quantity::new(line.kept()).ok()?;
                    Some(ParcelLine { sku: line.sku.clone(), quantity })
                };
                vec![Parcel {
                    id: order.as_uuid().into(),
                    warehouse: *warehouse,
                    lines: lines.iter().filter_map(line).collect(),
                    status: ParcelStatus::at_least(status),
                }]
            }
            Self::Several(parcels) => parcels.clone(),
        }
    }

    /// How far the pieces of an order with this status and these lines are.
    pub(crate) fn fulfilment(&self, status: OrderStatus, lines: &[OrderLine]) -> Fulfilment {
        let pieces = lines.iter().map(|line| {
            let mut pieces = self.pieces(status, line);
            pieces.take_back(line.returned);
            pieces
        });
        pieces.fold(Pieces::default(), Pieces::plus).fulfilment()
    }

    /// The pieces of a line by the status of their parcels.
    fn pieces(&self, status: OrderStatus, line: &OrderLine) -> Pieces {
        let mut pieces = Pieces::default();
        match self {
            Self::One { .. } => pieces.add(ParcelStatus::at_least(status), line.kept()),
            Self::Several(parcels) => {
                for parcel in parcels {
                    for part in parcel.lines.iter().filter(|part| part.sku == line.sku) {
                        pieces.add(parcel.status, part.quantity.get());
                    }
                }
            }
        }
        pieces
    }

    /// Takes cancelled pieces of a SKU out, from the last parcel first, so that the first ones stay whole. Returns them by warehouse. A
    /// parcel without lines is gone.
    pub(super) fn cancel(&mut self, sku: &Sku, quantity: Quantity) -> Vec<CancelledPieces> {
        match self {
            Self::One { warehouse } => vec![CancelledPieces { warehouse: *warehouse, quantity }],
            Self::Several(parcels) => {
                let (mut left, mut cancelled) = (quantity.get(), Vec::new());
                for parcel in parcels.iter_mut().rev() {
                    let warehouse = parcel.warehouse;
                    let lines = mem::take(&mut parcel.lines).into_iter();
                    let rest = lines.filter_map(|line| {
                        if line.sku != *sku {
                            return Some(line);
                        }
                        let taken = left.min(line.quantity.get());
                        left -= taken;
                        let taken_out = Quantity::new(taken).ok();
                        cancelled.extend(
                            taken_out.map(|quantity| CancelledPieces { warehouse, quantity }),
                        );
                        let quantity = Quantity::new(line.quantity.get() - taken).ok()?;
                        Some(ParcelLine { quantity, ..line })
                    });
                    parcel.lines = rest.collect();
                }
                parcels.retain(|parcel| !parcel.lines.is_empty());
                cancelled
            }
        }
    }

    /// A status that an earlier version of this service gave to the whole order holds for each parcel.
    #[must_use]
    pub(crate) fn raised_to(mut self, status: OrderStatus) -> Self {
        if let Self::Several(parcels) = &mut self {
            for parcel in parcels {
                parcel.status = parcel.status.max(ParcelStatus::at_least(status));
            }
        }
        self
    }
}
