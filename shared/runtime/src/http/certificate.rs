//! The certificate of the server: replaced while it serves, and watched before it ends.

use std::{convert::Infallible, time::Duration};

use chrono::TimeDelta;
use tls::{CertificateState, ServerTls};

use crate::{
    health::{Component, Health},
    lifecycle::Lifecycle,
};

/// How often the files are looked at.
const REFRESH_INTERVAL: Duration = Duration::from_secs(2);

/// From when on a certificate that was not renewed is reported. `console keygen` renews it much earlier.
const REPORTED_BEFORE: TimeDelta = TimeDelta::days(30);

/// Reads the certificate again when its files change, and reports the health component `certificate`.
pub(super) fn watch(lifecycle: &Lifecycle, health: &Health, tls: ServerTls) {
    let component = health.component("certificate");
    report(&component, &tls.refresh());
    let stopping = lifecycle.soft();
    lifecycle.spawn("certificate watch", async move {
        let mut ticks = tokio::time::interval(REFRESH_INTERVAL);
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            report(&component, &tls.refresh());
        }
        Ok::<(), Infallible>(())
    });
}

/// The service answers plain requests in any case, so the component is never down.
fn report(component: &Component, state: &CertificateState) {
    let left = state.validity.left();
    #[expect(clippy::cast_precision_loss, reason = "seconds of some years")]
    metrics::gauge!("certificate_expires_seconds").set(left.num_seconds() as f64);
    let ends = state.validity.ends;
    if left <= TimeDelta::zero() {
        component.degraded(format!("the certificate has ended, on {ends}"));
    } else if state.refused.is_some() {
        // The log has the reason, which names files.
        component.degraded("the new certificate is refused; the former one is used");
    } else if left < REPORTED_BEFORE {
        component.degraded(format!("the certificate ends on {ends}"));
    } else {
        component.up();
    }
}
