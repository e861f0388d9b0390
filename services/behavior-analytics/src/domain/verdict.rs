//! Whether an event counts, or which rule excludes it.

/// What the rules decided about an event. Excluded events are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    Counted,
    /// The visitor has not agreed to be measured.
    NoConsent,
    /// The user agent is one of a known bot.
    KnownAgent,
    /// Its address sent events of too many visitors.
    AddressVisitors,
    /// The visitor sent too many events on one day.
    DayRate,
    /// The visitor sent too many events within a minute.
    MinuteRate,
    /// The visitor's events have no pauses, or pauses of equal length.
    Pauses,
    /// The catalogue did not have the product yet. The event counts, and shows once the catalogue has it.
    UnknownProduct,
    /// The visitor did the same to this product before on this day.
    Repeated,
}

impl Verdict {
    pub(crate) const ALL: [Self; 9] = [
        Self::Counted,
        Self::NoConsent,
        Self::KnownAgent,
        Self::AddressVisitors,
        Self::DayRate,
        Self::MinuteRate,
        Self::Pauses,
        Self::UnknownProduct,
        Self::Repeated,
    ];

    /// The name in answers and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Counted => "counted",
            Self::NoConsent => "no_consent",
            Self::KnownAgent => "known_agent",
            Self::AddressVisitors => "address_visitors",
            Self::DayRate => "day_rate",
            Self::MinuteRate => "minute_rate",
            Self::Pauses => "pauses",
            Self::UnknownProduct => "unknown_product",
            Self::Repeated => "repeated",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == name)
    }

    /// Whether the event is demand.
    pub(crate) const fn counts(self) -> bool {
        matches!(self, Self::Counted | Self::UnknownProduct)
    }

    /// Whether a person did it. Sessions, the funnel and the visitor's own profile contain these events, also
    /// those that do not count as demand.
    pub(crate) const fn is_human(self) -> bool {
        match self {
            Self::Counted | Self::UnknownProduct | Self::Repeated => true,
            Self::NoConsent
            | Self::KnownAgent
            | Self::AddressVisitors
            | Self::DayRate
            | Self::MinuteRate
            | Self::Pauses => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;

    #[test]
    fn every_verdict_has_a_name_that_parses_back() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::parse(verdict.as_str()), Some(verdict));
        }
        assert_eq!(Verdict::parse("excluded"), None);
    }
}
