//! What an audit has found.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// The number of invariants.
pub const INVARIANTS: u8 = 6;

/// Something that violates an invariant, unless it is in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// One line for people.
    pub(crate) text: String,
    /// Two passes with the same identity found the same: nothing moved in between.
    pub(crate) identity: String,
}

impl From<String> for Violation {
    fn from(text: String) -> Self {
        Self { identity: text.clone(), text }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The result of an audit.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// By the number of the invariant.
    violations: BTreeMap<u8, Vec<Violation>>,
    /// The numbers of checked items, by name.
    pub(crate) checked: BTreeMap<&'static str, i64>,
}

impl Findings {
    /// Whether all invariants hold.
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    /// The number of violations of all invariants.
    pub fn count(&self) -> usize {
        self.violations.values().map(Vec::len).sum()
    }

    /// The violations of an invariant.
    pub fn of(&self, invariant: u8) -> &[Violation] {
        self.violations.get(&invariant).map(Vec::as_slice).unwrap_or_default()
    }

    /// The numbers of checked items, by name: an audit of nothing proves nothing.
    pub fn checked(&self) -> &BTreeMap<&'static str, i64> {
        &self.checked
    }

    pub(crate) fn add<V: Into<Violation>>(
        &mut self,
        invariant: u8,
        violations: impl IntoIterator<Item = V>,
    ) {
        for violation in violations {
            self.violations.entry(invariant).or_default().push(violation.into());
        }
    }

    /// Keeps only violations that `later` has found, too.
    pub(crate) fn keep_persistent(&mut self, later: &Self) {
        self.violations.retain(|invariant, violations| {
            let found = later.of(*invariant).iter().map(|violation| violation.identity.as_str());
            let found: BTreeSet<&str> = found.collect();
            violations.retain(|violation| found.contains(violation.identity.as_str()));
            !violations.is_empty()
        });
        self.checked.clone_from(&later.checked);
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (invariant, lines) in &self.violations {
            for line in lines.iter().take(20) {
                writeln!(f, "invariant {invariant}: {line}")?;
            }
            if lines.len() > 20 {
                writeln!(f, "invariant {invariant}: … and {} more", lines.len() - 20)?;
            }
        }
        Ok(())
    }
}
