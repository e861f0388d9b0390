//! The one table that derives the status of a paid order from its lines.

use super::{parcel_status::ParcelStatus, status::OrderStatus};

/// How many pieces of the lines of an order are how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Pieces {
    pending: u64,
    shipped: u64,
    delivered: u64,
    returned: u64,
}

/// How far the pieces of an order are, told beside its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fulfilment {
    Unfulfilled,
    PartlyShipped,
    Shipped,
    PartlyDelivered,
    Delivered,
    /// All pieces have arrived, and some have come back.
    PartlyReturned,
    Returned,
}

impl Pieces {
    /// Counts the pieces of a line in a parcel.
    pub(super) fn add(&mut self, status: ParcelStatus, quantity: u32) {
        let count = match status {
            ParcelStatus::Pending => &mut self.pending,
            ParcelStatus::Shipped => &mut self.shipped,
            ParcelStatus::Delivered => &mut self.delivered,
        };
        *count += u64::from(quantity);
    }

    /// Takes back pieces that came back: those that had arrived, then those that a carrier has.
    pub(super) fn take_back(&mut self, quantity: u32) {
        let quantity = u64::from(quantity);
        let arrived = quantity.min(self.delivered);
        let on_the_way = (quantity - arrived).min(self.shipped);
        self.delivered -= arrived;
        self.shipped -= on_the_way;
        self.returned += arrived + on_the_way;
    }

    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            pending: self.pending + other.pending,
            shipped: self.shipped + other.shipped,
            delivered: self.delivered + other.delivered,
            returned: self.returned + other.returned,
        }
    }

    /// The table, with the status of a paid order ([`Fulfilment::status`]):
    ///
    /// | pending | shipped | delivered | returned | fulfilment | status |
    /// |---|---|---|---|---|---|
    /// | any | none | none | none | unfulfilled | confirmed |
    /// | some | one of them | | | partly shipped | confirmed |
    /// | none | some | none | none | shipped | shipped |
    /// | none | some | one of them | | partly delivered | shipped |
    /// | none | none | some | none | delivered | delivered |
    /// | none | none | some | some | partly returned | delivered |
    /// | none | none | none | some | returned | returned |
    ///
    /// An order that is not paid yet, or has ended without a shipment, has only pending pieces: it is unfulfilled, and the order
    /// process alone decides its status.
    pub(crate) const fn fulfilment(self) -> Fulfilment {
        match (self.pending > 0, self.shipped > 0, self.delivered > 0, self.returned > 0) {
            (_, false, false, false) => Fulfilment::Unfulfilled,
            (true, ..) => Fulfilment::PartlyShipped,
            (false, true, false, false) => Fulfilment::Shipped,
            (false, true, ..) => Fulfilment::PartlyDelivered,
            (false, false, true, false) => Fulfilment::Delivered,
            (false, false, true, true) => Fulfilment::PartlyReturned,
            (false, false, false, true) => Fulfilment::Returned,
        }
    }
}

impl Fulfilment {
    /// The status of a paid order.
    pub(crate) const fn status(self) -> OrderStatus {
        match self {
            Self::Unfulfilled | Self::PartlyShipped => OrderStatus::Confirmed,
            Self::Shipped | Self::PartlyDelivered => OrderStatus::Shipped,
            Self::Delivered | Self::PartlyReturned => OrderStatus::Delivered,
            Self::Returned => OrderStatus::Returned,
        }
    }

    /// Whether a carrier has a piece.
    pub(crate) const fn has_begun(self) -> bool {
        !matches!(self, Self::Unfulfilled)
    }
}

#[cfg(test)]
mod tests {
    use super::{Fulfilment, Pieces};
    use crate::domain::{OrderStatus, ParcelStatus};

    /// What became of a line.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Line {
        In(ParcelStatus),
        /// Out of a parcel with this status.
        Returned(ParcelStatus),
    }

    impl Line {
        const ALL: [Self; 5] = [
            Self::In(ParcelStatus::Pending),
            Self::In(ParcelStatus::Shipped),
            Self::In(ParcelStatus::Delivered),
            Self::Returned(ParcelStatus::Shipped),
            Self::Returned(ParcelStatus::Delivered),
        ];

        fn pieces(self, quantity: u32) -> Pieces {
            let mut pieces = Pieces::default();
            let (Self::In(status) | Self::Returned(status)) = self;
            pieces.add(status, quantity);
            if let Self::Returned(_) = self {
                pieces.take_back(quantity);
            }
            pieces
        }
    }

    /// Every combination of up to three lines: the table read line by line.
    #[test]
    fn the_status_follows_from_the_lines_by_one_table() {
        let with_another = |lines: &[Vec<Line>]| -> Vec<Vec<Line>> {
            let longer = |line: &Vec<Line>| {
                let line = line.clone();
                Line::ALL.map(|next| [line.clone(), vec![next]].concat())
            };
            lines.iter().flat_map(longer).collect()
        };
        let one: Vec<Vec<Line>> = Line::ALL.map(|line| vec![line]).into();
        let two = with_another(&one);
        let combinations = [one, two.clone(), with_another(&two)].concat();
        assert_eq!(combinations.len(), 5 + 25 + 125);
        for lines in combinations {
            let counted = lines.iter().zip([1, 2, 3]);
            let pieces = counted
                .fold(Pieces::default(), |sum, (line, quantity)| sum.plus(line.pieces(quantity)));
            let all = |is: &dyn Fn(&Line) -> bool| lines.iter().all(is);
            let any = |is: &dyn Fn(&Line) -> bool| lines.iter().any(is);
            let pending = |line: &Line| *line == Line::In(ParcelStatus::Pending);
            let shipped = |line: &Line| *line == Line::In(ParcelStatus::Shipped);
            let returned = |line: &Line| matches!(line, Line::Returned(_));
            let expected = if all(&pending) {
                (Fulfilment::Unfulfilled, OrderStatus::Confirmed)
            } else if any(&pending) {
                (Fulfilment::PartlyShipped, OrderStatus::Confirmed)
            } else if all(&shipped) {
                (Fulfilment::Shipped, OrderStatus::Shipped)
            } else if any(&shipped) {
                (Fulfilment::PartlyDelivered, OrderStatus::Shipped)
            } else if all(&returned) {
                (Fulfilment::Returned, OrderStatus::Returned)
            } else if any(&returned) {
                (Fulfilment::PartlyReturned, OrderStatus::Delivered)
            } else {
                (Fulfilment::Delivered, OrderStatus::Delivered)
            };
            let found = pieces.fulfilment();
            assert_eq!((found, found.status()), expected, "{lines:?}");
            assert_eq!(found.has_begun(), !all(&pending), "{lines:?}");
        }
    }
}
