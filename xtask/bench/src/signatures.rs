//! What signatures cost: events and orders per second with and without them, in turn, in one run on one machine.
//!
//! Signed means that each message is signed when it is published and checked by each subscriber, as `cargo xtask up` and compose do.

use suite::{Figures, install, output};
use xtask::arguments::SignaturesBench;

use crate::{error::Error, messaging, orders};

/// Measures both kinds of work, and writes the figures.
pub(crate) async fn run(arguments: SignaturesBench) -> Result<(), Error> {
    let SignaturesBench { json, pairs, seconds, data: _ } = arguments;
    Figures::check_writable(json.as_deref())?;
    install::servers(true, true).await?;
    let mut figures = Figures::default();
    output::line("signatures:");
    messaging::signed_and_unsigned(pairs).await?.record(&mut figures, "events");
    // Boxed: a large future would be copied into this one.
    let orders = Box::pin(orders::signed_and_unsigned(pairs, seconds)).await?;
    orders.record(&mut figures, "orders");
    Ok(figures.write(json.as_deref())?)
}
