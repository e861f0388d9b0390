//! Measured figures beside their targets.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use crate::{error::Error, output};

/// The target of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    AtMost(f64),
    AtLeast(f64),
    /// For comparison only.
    None,
}

/// Figures by name.
#[derive(Debug, Default)]
pub struct Figures(BTreeMap<String, f64>);

impl Figures {
    /// Records a figure and prints it beside its target.
    pub fn record(&mut self, name: impl Into<String>, value: f64, target: Target) {
        let name = name.into();
        let rounded = (value * 1000.0).round() / 1000.0;
        let (reached, wanted) = match target {
            Target::AtMost(most) => (Some(value <= most), format!("<= {most}")),
            Target::AtLeast(least) => (Some(value >= least), format!(">= {least}")),
            Target::None => (None, String::new()),
        };
        let verdict = match reached {
            Some(true) => "   met",
            Some(false) => "   missed",
            None => "",
        };
        output::line(format!("  {name:44} {rounded:>12}   {wanted}{verdict}"));
        self.0.insert(name, rounded);
    }

    /// Adds the figures of a JSON object that another process has written and printed.
    pub fn merge(&mut self, json: &str) -> Result<(), serde_json::Error> {
        self.0.extend(serde_json::from_str::<BTreeMap<String, f64>>(json)?);
        Ok(())
    }

    /// Writes all figures as one flat JSON object.
    pub fn write(&self, path: Option<&Path>) -> Result<(), Error> {
        let Some(path) = path else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.0)
            .map_err(|source| Error::Content { path: path.to_owned(), source })?;
        fs::write(path, text + "\n").map_err(Error::file(path))
    }
}

/// The median of `times` in milliseconds.
pub fn median_ms(times: &mut [Duration]) -> f64 {
    percentile_ms(times, 50)
}

/// A percentile of `times` in milliseconds; NaN if there are none.
pub fn percentile_ms(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
}
