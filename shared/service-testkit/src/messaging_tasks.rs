//! The messaging of a service double, as tasks.

use std::convert::Infallible;

use messaging::MessagingRuntime;
use runtime::Lifecycle;

/// Runs relay and consumers as tasks of `lifecycle`.
pub fn run_messaging(lifecycle: &Lifecycle, messaging: &MessagingRuntime) {
    let (relay, stop) = (messaging.clone(), lifecycle.soft());
    lifecycle.spawn("relay", async move {
        relay.relay(stop).await;
        Ok::<_, Infallible>(())
    });
    let (consumers, stop) = (messaging.clone(), lifecycle.soft());
    lifecycle.spawn("consumers", async move {
        consumers.consume(stop).await;
        Ok::<_, Infallible>(())
    });
}
