//! Telling others how much products are sought after, when it has changed enough to matter for ranking.

use std::{collections::HashMap, convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use messaging::{Kit, Worth};
use runtime::{Lifecycle, clock};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::{
    learning::Knowledge, publishes::popularity_changed::popularity_changed, storage::popularity,
};

/// How often demand is compared with what was said of it.
const EVERY: Duration = Duration::from_secs(2);

/// How many products are spoken of at once, those that changed most first. The others wait for the next time.
const AT_ONCE: usize = 500;

/// A change below this, in views, is none.
const LEAST_CHANGE: f64 = 0.5;

/// A change below this share of what was said is none.
const LEAST_SHARE: f64 = 0.2;

/// The score that is said of a count: what is less than half a view is nothing, so that every product comes down to zero in
/// the end.
fn score_of(count: f64) -> f64 {
    if count < LEAST_CHANGE { 0.0 } else { count }
}

/// Whether a change from `said` to `now` is worth telling.
fn matters(said: f64, now: f64) -> bool {
    let change = (now - said).abs();
    change >= LEAST_CHANGE && change > LEAST_SHARE * said
}

/// The scores that are to be said: of `demand` and of what is in demand no more, those that changed most.
fn changed(said: &HashMap<Uuid, f64>, demand: &[(Uuid, f64)]) -> Vec<(Uuid, f64)> {
    let now: HashMap<Uuid, f64> =
        demand.iter().map(|&(product, count)| (product, score_of(count))).collect();
    let gone = said.keys().filter(|product| !now.contains_key(product)).map(|&gone| (gone, 0.0));
    let mut changed: Vec<(f64, Uuid, f64)> = now
        .iter()
        .map(|(&product, &score)| (product, score))
        .chain(gone)
        .filter_map(|(product, score)| {
            let before = said.get(&product).copied().unwrap_or(0.0);
            matters(before, score).then(|| ((score - before).abs(), product, score))
        })
        .collect();
    changed.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    changed.truncate(AT_ONCE);
    changed.into_iter().map(|(_, product, score)| (product, score)).collect()
}

/// Compares, every two seconds, and says what has changed. Replicas do so side by side: what one has said the other finds
/// said, for the table decides.
pub fn start(lifecycle: &Lifecycle, kit: Kit, knowledge: Knowledge) {
    let stopping = lifecycle.soft();
    lifecycle.spawn("popularity", async move {
        let mut said = None;
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stopping.run_until_cancelled(ticks.tick()).await.is_some() {
            // What is not said now is said later, as it is then.
            if kit.admit(Worth::Lesser).is_err() {
                continue;
            }
            let Some(demand) = knowledge.demand(clock::now()) else { continue };
            if let Err(error) = compare(&kit, &mut said, &demand, clock::now()).await {
                tracing::warn!(error = problem::chain(&error), "popularity was not said");
            }
        }
        Ok::<(), Infallible>(())
    });
}

/// One comparison. `said` is what was said last, as far as this process knows; it is read from the table at first.
async fn compare(
    kit: &Kit,
    said: &mut Option<HashMap<Uuid, f64>>,
    demand: &[(Uuid, f64)],
    now: DateTime<Utc>,
) -> Result<(), messaging::Error> {
    let said = if let Some(said) = said {
        said
    } else {
        let mut connection = kit.pool().acquire().await?;
        said.insert(popularity::all(&mut connection).await?)
    };
    let changed = changed(said, demand);
    if changed.is_empty() {
        return Ok(());
    }
    let mut tx = kit.begin().await?;
    let raised = popularity::raise(&mut tx, &changed, (LEAST_CHANGE, LEAST_SHARE), now).await?;
    for said in &raised {
        tx.emit(&popularity_changed(said, now))?;
    }
    tx.commit().await?;
    let count = u64::try_from(raised.len()).unwrap_or_default();
    metrics::counter!("behavior_popularity_said_total").increment(count);
    // What another replica said meanwhile is close to it.
    said.extend(changed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::{AT_ONCE, changed, matters};

    #[test]
    fn small_changes_are_not_told() {
        assert!(matters(0.0, 0.5) && matters(1.0, 0.0) && matters(10.0, 12.1));
        assert!(!matters(0.0, 0.4) && !matters(10.0, 11.9) && !matters(10.0, 8.1));
    }

    #[test]
    fn what_fades_comes_down_to_zero_and_is_told_once() {
        let product = Uuid::from_u128(1);
        let mut said = HashMap::from([(product, 0.9)]);
        for demand in [vec![(product, 0.49)], vec![]] {
            assert_eq!(changed(&said, &demand), [(product, 0.0)]);
        }
        said.insert(product, 0.0);
        assert_eq!(changed(&said, &[(product, 0.49)]), []);
        assert_eq!(changed(&said, &[]), []);
    }

    #[test]
    fn the_largest_changes_come_first_and_the_rest_waits() {
        let counts = (1_u16..=600).map(|n| (Uuid::from_u128(u128::from(n)), f64::from(n)));
        let demand: Vec<(Uuid, f64)> = counts.collect();
        let first = changed(&HashMap::new(), &demand);
        assert_eq!(first.len(), AT_ONCE);
        assert_eq!(first[0].0, Uuid::from_u128(600));
        assert_eq!(changed(&first.into_iter().collect(), &demand).len(), 100);
    }
}
