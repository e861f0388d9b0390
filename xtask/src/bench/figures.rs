//! What was measured, beside what is wanted.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::{failure::Failure, say};

/// Whether a figure is to be small or large.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// Nothing is wanted of it: others are held against it.
    Told,
}

/// Figures by name.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Takes a figure, and shows it beside its goal.
    pub(crate) fn take(&mut self, name: impl Into<String>, value: f64, goal: Goal) {
        let name = name.into();
        let rounded = (value * 1000.0).round() / 1000.0;
        let (reached, wanted) = match goal {
            Goal::AtMost(most) => (value <= most, format!("<= {most}")),
            Goal::AtLeast(least) => (value >= least, format!(">= {least}")),
            Goal::Told => (true, String::new()),
        };
        let verdict = if reached { "" } else { "   missed" };
        say::line(format!("  {name:24} {rounded:>12}   {wanted}{verdict}"));
        self.0.insert(name, rounded);
    }

    /// Writes all of them as one flat JSON object.
    pub(crate) fn write(&self, path: Option<&Path>) -> Result<(), Failure> {
        let Some(path) = path else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.0)
            .map_err(|source| Failure::Content { path: path.to_owned(), source })?;
        fs::write(path, text + "\n").map_err(Failure::file(path))
    }
}

/// The middle one of `times`, in milliseconds.
pub(crate) fn median_ms(times: &mut [Duration]) -> f64 {
    percentile_ms(times, 50)
}

/// The time that `percent` of a hundred of `times` stay below, in milliseconds.
pub(crate) fn percentile_ms(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
