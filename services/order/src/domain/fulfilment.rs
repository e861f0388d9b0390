//! The one table that derives the status of a paid order from its lines.

use vocabulary::Quantity;

use super::{parcel_status::ParcelStatus, status::OrderStatus};

/// How many pieces of the lines of an order are how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pieces {
    pending: u64,
    shipped: u64,
    delivered: u64,
}

/// How far the pieces of an order are, told beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fulfilment {
    Unfulfilled,
    PartlyShipped,
    Shipped,
    PartlyDelivered,
    Delivered,
}

impl Pieces {
    /// Counts the pieces of a line in a parcel.
    pub(super) fn add(&mut self, status: ParcelStatus, quantity: Quantity) {
        let count = match status {
            ParcelStatus::Pending => &mut self.pending,
            ParcelStatus::Shipped => &mut self.shipped,
            ParcelStatus::Delivered => &mut self.delivered,
        };
        *count += u64::from(quantity.get());
    }

    /// The table, with the status of a paid order ([`Fulfilment::status`]):
    ///
    /// | pending | shipped | delivered | fulfilment | status |
    /// |---|---|---|---|---|
    /// | any | none | none | unfulfilled | confirmed |
    /// | some | one of them | | partly shipped | confirmed |
    /// | none | some | none | shipped | shipped |
    /// | none | some | some | partly delivered | shipped |
    /// | none | none | some | delivered | delivered |
    ///
    /// An order that is not paid yet, or has ended without a shipment, has only pending pieces: it is unfulfilled, and the order
    /// process alone decides its status.
    pub(crate) const fn fulfilment(self) -> Fulfilment {
        match (self.pending > 0, self.shipped > 0, self.delivered > 0) {
            (_, false, false) => Fulfilment::Unfulfilled,
            (true, true, _) | (true, _, true) => Fulfilment::PartlyShipped,
            (false, true, false) => Fulfilment::Shipped,
            (false, true, true) => Fulfilment::PartlyDelivered,
            (false, false, true) => Fulfilment::Delivered,
        }
    }
}

impl Fulfilment {
    /// The status of a paid order.
    pub(crate) const fn status(self) -> OrderStatus {
        match self {
            Self::Unfulfilled | Self::PartlyShipped => OrderStatus::Confirmed,
            Self::Shipped | Self::PartlyDelivered => OrderStatus::Shipped,
            Self::Delivered => OrderStatus::Delivered,
        }
    }

    /// Whether a carrier has a piece.
    pub(crate) const fn has_begun(self) -> bool {
        !matches!(self, Self::Unfulfilled)
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::Quantity;

    use super::{Fulfilment, Pieces};
    use crate::domain::{OrderStatus, ParcelStatus};

    /// Every combination of up to three lines, each in any status: the table read line by line.
    #[test]
    fn the_status_follows_from_the_lines_by_one_table() {
        let three = || ParcelStatus::ALL.into_iter();
        let one: Vec<Vec<ParcelStatus>> = three().map(|status| vec![status]).collect();
        let with_another = |lines: &[Vec<ParcelStatus>]| -> Vec<Vec<ParcelStatus>> {
            let longer = |line: &Vec<ParcelStatus>| {
                let line = line.clone();
                three().map(move |status| [line.clone(), vec![status]].concat())
            };
            lines.iter().flat_map(longer).collect()
        };
        let two = with_another(&one);
        let combinations = [one, two.clone(), with_another(&two)].concat();
        assert_eq!(combinations.len(), 3 + 9 + 27);
        for lines in combinations {
            let mut pieces = Pieces::default();
            for (status, quantity) in lines.iter().zip([1, 2, 3]) {
                pieces.add(*status, Quantity::new(quantity).unwrap());
            }
            let all = |status: ParcelStatus| lines.iter().all(|line| *line == status);
            let any = |status: ParcelStatus| lines.contains(&status);
            let expected = if all(ParcelStatus::Pending) {
                (Fulfilment::Unfulfilled, OrderStatus::Confirmed)
            } else if any(ParcelStatus::Pending) {
                (Fulfilment::PartlyShipped, OrderStatus::Confirmed)
            } else if all(ParcelStatus::Shipped) {
                (Fulfilment::Shipped, OrderStatus::Shipped)
            } else if all(ParcelStatus::Delivered) {
                (Fulfilment::Delivered, OrderStatus::Delivered)
            } else {
                (Fulfilment::PartlyDelivered, OrderStatus::Shipped)
            };
            let found = pieces.fulfilment();
            assert_eq!((found, found.status()), expected, "{lines:?}");
            assert_eq!(found.has_begun(), !all(ParcelStatus::Pending), "{lines:?}");
        }
    }
}
