//! Measured figures beside their targets.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    path::Path,
    time::Duration,
};

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

    /// The names of all figures, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Fails if figures cannot be written to this file: a bench of minutes shall not find that out at its end.
    pub fn check_writable(path: Option<&Path>) -> Result<(), Error> {
        let Some(path) = path else { return Ok(()) };
        let existed = path.exists();
        let opened = OpenOptions::new().create(true).append(true).open(path);
        opened.map_err(Error::file(path))?;
        if existed { Ok(()) } else { fs::remove_file(path).map_err(Error::file(path)) }
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

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use testkit::DataDir;

    use super::{Figures, Target};

    #[test]
    fn a_file_that_cannot_be_written_is_found_out_before() {
        let folder = DataDir::temporary("figures").unwrap();
        assert!(Figures::check_writable(None).is_ok());
        let missing = folder.path().join("missing/figures.json");
        for wrong in [missing.as_path(), folder.path(), Path::new("")] {
            assert!(Figures::check_writable(Some(wrong)).is_err(), "{}", wrong.display());
        }
        let new = folder.path().join("figures.json");
        Figures::check_writable(Some(&new)).unwrap();
        assert!(!new.exists(), "an interrupted bench leaves no empty file");
    }

    #[test]
    fn earlier_figures_stay_until_new_ones_are_written() {
        let folder = DataDir::temporary("figures").unwrap();
        let file = folder.path().join("figures.json");
        fs::write(&file, "{}").unwrap();
        Figures::check_writable(Some(&file)).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}");
        let mut figures = Figures::default();
        figures.record("known", 1.5, Target::None);
        figures.record("unknown", f64::NAN, Target::None);
        figures.write(Some(&file)).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text, "{\n  \"known\": 1.5,\n  \"unknown\": null\n}\n");
    }
}
