//! How many orders a second are accepted. What follows them runs at the same time and falls behind.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::BUYERS;
use crate::{
    buyers::{Allowance, Buyers, Until},
    error::Error,
    statistics::rate,
};

/// The first orders do not count: the connections are opened.
const WARM_UP: Duration = Duration::from_secs(1);

pub(super) async fn orders_per_second(
    buyers: &Arc<Buyers>,
    duration: Duration,
) -> Result<f64, Error> {
    let allowance = Allowance::unlimited();
    let measured = async {
        sleep(WARM_UP).await;
        let (began, before) = (Instant::now(), buyers.accepted());
        sleep(duration).await;
        let accepted = rate(buyers.accepted() - before, began.elapsed());
        allowance.revoke();
        Ok(accepted)
    };
    let ((), accepted) =
        tokio::try_join!(buyers.run(BUYERS, Until::Accepted, &allowance), measured)?;
    Ok(accepted)
}
