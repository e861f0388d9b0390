#![doc = include_str!("../README.md")]

mod colours;
mod data;
mod generator;
mod kind;
mod product;
mod stock;

use std::io;

use crate::generator::Generator;
pub use crate::{
    product::{Bilingual, SamplePrice, SampleProduct, SampleVariant},
    stock::opening_stock,
};

/// How many products the suite's own sample catalogue has.
pub const DEFAULT_COUNT: usize = 1_500;

/// The seed of the suite's own sample catalogue.
pub const DEFAULT_SEED: u64 = 20_251_111;

/// An endless iterator over the products of the catalogue with this seed.
///
/// A longer catalogue starts with the shorter one of the same seed.
pub fn products(seed: u64) -> impl Iterator<Item = SampleProduct> {
    Generator::new(seed)
}

/// Writes products as NDJSON, one on each line, as `POST /v1/imports` reads them.
///
/// Fails only if the writer fails.
pub fn write_ndjson(
    writer: &mut impl io::Write,
    products: impl IntoIterator<Item = SampleProduct>,
) -> io::Result<()> {
    for product in products {
        serde_json::to_writer(&mut *writer, &product)?;
        writer.write_all(b"\n")?;
    }
    Ok(())
}
