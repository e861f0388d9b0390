//! Which orders overtake others under a backlog.

use std::{ops::Range, str::FromStr};

use super::payment::PaymentMethod;

/// How urgent an order is while others wait. Without a backlog it makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PriorityClass {
    /// Of a customer with priority.
    Vip,
    /// A customer pays it with the order.
    Paid,
    /// A customer pays it later.
    Unpaid,
    /// The shop places it for a customer, such as the orders of a marketplace.
    Bulk,
}

impl PriorityClass {
    /// The most urgent class first.
    pub(crate) const ALL: [Self; 4] = [Self::Vip, Self::Paid, Self::Unpaid, Self::Bulk];

    pub(crate) const fn of(is_vip: bool, is_by_shop: bool, method: PaymentMethod) -> Self {
        match method {
            _ if is_vip => Self::Vip,
            _ if is_by_shop => Self::Bulk,
            PaymentMethod::Test | PaymentMethod::TestDecline => Self::Paid,
            PaymentMethod::Manual => Self::Unpaid,
        }
    }

    /// How many orders of this class are taken in a row while orders of all classes wait. So each class gets its share.
    pub(crate) const fn weight(self) -> usize {
        match self {
            Self::Vip => 8,
            Self::Paid => 4,
            Self::Unpaid => 2,
            Self::Bulk => 1,
        }
    }

    /// The name in metrics and in [`PriorityQueues`].
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Vip => "vip",
            Self::Paid => "paid",
            Self::Unpaid => "unpaid",
            Self::Bulk => "bulk",
        }
    }
}

/// How many of the queues of a subscription have the orders of a class: `vip=1,bulk=3`.
///
/// The queues take turns, so a class with more queues gets a larger share. A class that is not named shares the queues of the next less
/// urgent class that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorityQueues {
    /// In the order of [`PriorityClass::ALL`]; 0 if the class is not named.
    numbers: [u8; PriorityClass::ALL.len()],
}

/// Why a text is no setting of the queues of classes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPriorityQueues {
    #[error(
        "{0:?} is not CLASS=NUMBER with one of the classes vip, paid, unpaid and bulk, as in vip=1,bulk=3"
    )]
    NoPair(String),
    #[error("{0} is named twice")]
    Repeated(String),
    #[error("bulk is not named: orders without priority need a queue")]
    NoBulk,
    #[error("there are 16 queues at most")]
    TooMany,
}

impl PriorityQueues {
    /// The most queues of a subscription.
    const MAX: u8 = 16;

    /// The number of all queues.
    pub(crate) fn total(self) -> u8 {
        self.numbers.iter().sum()
    }

    /// The queues of a class.
    pub(crate) fn of(self, class: PriorityClass) -> Range<u8> {
        let numbers = || PriorityClass::ALL.into_iter().zip(self.numbers);
        let mut from_class = numbers().skip_while(|(other, _)| *other != class);
        // Bulk is always named.
        let number = from_class.find(|(_, number)| *number > 0).map_or(0, |(_, number)| number);
        let start: u8 = from_class.map(|(_, number)| number).sum();
        start..start + number
    }
}

impl FromStr for PriorityQueues {
    type Err = InvalidPriorityQueues;

    fn from_str(text: &str) -> Result<Self, InvalidPriorityQueues> {
        let mut numbers = [0; PriorityClass::ALL.len()];
        for pair in text.split(',').map(str::trim) {
            let no_pair = || InvalidPriorityQueues::NoPair(pair.to_owned());
            let (name, number) = pair.split_once('=').ok_or_else(no_pair)?;
            let name = name.trim();
            let mut named = PriorityClass::ALL.into_iter().zip(&mut numbers);
            let (_, of_class) =
                named.find(|(class, _)| class.as_str() == name).ok_or_else(no_pair)?;
            let number: u8 = number.trim().parse().map_err(|_| no_pair())?;
            if number == 0 {
                return Err(no_pair());
            }
            if std::mem::replace(of_class, number) > 0 {
                return Err(InvalidPriorityQueues::Repeated(name.to_owned()));
            }
        }
        let [.., bulk] = numbers;
        if bulk == 0 {
            return Err(InvalidPriorityQueues::NoBulk);
        }
        let total: u16 = numbers.iter().copied().map(u16::from).sum();
        if total > u16::from(Self::MAX) {
            return Err(InvalidPriorityQueues::TooMany);
        }
        Ok(Self { numbers })
    }
}

#[cfg(test)]
mod tests {
    use super::{PriorityClass, PriorityQueues};
    use crate::domain::PaymentMethod;

    #[test]
    fn priority_comes_first_and_orders_of_the_shop_last() {
        for method in [PaymentMethod::Test, PaymentMethod::Manual] {
            assert_eq!(PriorityClass::of(true, true, method), PriorityClass::Vip);
            assert_eq!(PriorityClass::of(false, true, method), PriorityClass::Bulk);
        }
        assert_eq!(PriorityClass::of(false, false, PaymentMethod::Test), PriorityClass::Paid);
        assert_eq!(PriorityClass::of(false, false, PaymentMethod::Manual), PriorityClass::Unpaid);
    }

    #[test]
    fn unnamed_classes_share_the_queues_of_a_less_urgent_one() {
        let queues = |text: &str| {
            let queues: PriorityQueues = text.parse().unwrap();
            let of = PriorityClass::ALL.map(|class| queues.of(class));
            (queues.total(), of)
        };
        assert_eq!(queues("vip=1, paid=4,unpaid=2 ,bulk=1"), (8, [7..8, 3..7, 1..3, 0..1]));
        assert_eq!(queues("vip=1,bulk=3"), (4, [3..4, 0..3, 0..3, 0..3]));
        assert_eq!(queues("bulk=1,paid=1"), (2, [1..2, 1..2, 0..1, 0..1]));
        assert_eq!(queues("bulk=2"), (2, [0..2, 0..2, 0..2, 0..2]));
    }

    #[test]
    fn an_invalid_setting_of_queues_names_what_is_wrong() {
        for (text, message) in [
            ("", r#""" is not CLASS=NUMBER"#),
            ("vip", r#""vip" is not CLASS=NUMBER"#),
            ("vips=1,bulk=1", r#""vips=1" is not CLASS=NUMBER"#),
            ("vip=0,bulk=1", r#""vip=0" is not CLASS=NUMBER"#),
            ("vip=-1,bulk=1", r#""vip=-1" is not CLASS=NUMBER"#),
            ("vip=1,vip=2,bulk=1", "vip is named twice"),
            ("vip=1,paid=1", "bulk is not named"),
            ("vip=8,bulk=9", "there are 16 queues at most"),
            ("vip=200,bulk=100", "there are 16 queues at most"),
        ] {
            let error = text.parse::<PriorityQueues>().unwrap_err().to_string();
            assert!(error.starts_with(message), "{text}: {error}");
        }
    }
}
