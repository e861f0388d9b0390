//! Queues of a former, larger number of slot groups. No service declares them any more, but they may have messages.

use std::time::Duration;

use envelope::SLOTS;

use super::{known_groups::KnownGroups, slot_group_store, subscription::Subscription};
use crate::{
    broker::{Channels, depth},
    error::{Error, causes, with_timeout},
    naming::consumer_queue,
    publish::outbox::Outbox,
    settings::Settings,
};

/// The timeout of reading and writing the numbers of slot groups.
const QUERY_TIMEOUT: Duration = Duration::from_secs(5);

/// Records what this replica uses, and finds out which queues may have messages. Without the database it is the setting alone; the
/// renewal of the membership brings the rest.
pub(super) async fn known_groups(
    outbox: &Outbox,
    settings: &Settings,
    subscriptions: &[Subscription],
    channels: &Channels,
) -> Result<KnownGroups, Error> {
    let own = KnownGroups::of(subscriptions, &settings.slot_groups);
    let mut used = match register(outbox, settings, subscriptions).await {
        Ok(used) => used,
        Err(error) => {
            warn(&error);
            return Ok(own);
        }
    };
    for subscription in subscriptions {
        let (aggregate, groups) = (subscription.aggregate(), setting(settings, subscription));
        let known = own.clone().with(used.iter().map(|(name, number)| (name.as_str(), *number)));
        let found = largest(channels, settings, aggregate, groups, known.queues(aggregate)).await?;
        if found > groups || known.queues(aggregate) > groups {
            let corrected = correct(outbox, settings, aggregate, found).await;
            corrected.unwrap_or_else(|error| warn(&error));
        }
        used.retain(|(name, number)| name != aggregate || *number <= i16::from(found));
        used.push((aggregate.to_owned(), found.into()));
    }
    Ok(own.with(used.iter().map(|(name, number)| (name.as_str(), *number))))
}

/// Records what this replica uses. Returns what all of them use.
pub(super) async fn register(
    outbox: &Outbox,
    settings: &Settings,
    subscriptions: &[Subscription],
) -> Result<Vec<(String, i16)>, Error> {
    let aggregates: Vec<&str> = subscriptions.iter().map(Subscription::aggregate).collect();
    let groups: Vec<i16> =
        subscriptions.iter().map(|subscription| setting(settings, subscription).into()).collect();
    with_timeout("recording slot groups", QUERY_TIMEOUT, async {
        let mut connection = outbox.pool().acquire().await?;
        slot_group_store::register(&mut connection, &aggregates, &groups).await
    })
    .await
}

/// Forgets the former queues of a subscription that are gone, if the rest belongs to a smaller number of slot groups.
pub(super) async fn forget_if_gone(
    outbox: &Outbox,
    settings: &Settings,
    subscription: &Subscription,
    channels: &Channels,
) -> Result<(), Error> {
    let (aggregate, groups) = (subscription.aggregate(), setting(settings, subscription));
    let found = largest(channels, settings, aggregate, groups, SLOTS).await?;
    correct(outbox, settings, aggregate, found).await
}

/// Records that this number of slot groups has queues, and no larger one.
async fn correct(
    outbox: &Outbox,
    settings: &Settings,
    aggregate: &str,
    found: u8,
) -> Result<(), Error> {
    let queue = |number| consumer_queue(settings.service, aggregate, number);
    let gone: Vec<String> = (found..SLOTS).map(queue).collect();
    with_timeout("recording slot groups", QUERY_TIMEOUT, async {
        let mut connection = outbox.pool().acquire().await?;
        slot_group_store::add(&mut connection, aggregate, found.into()).await?;
        slot_group_store::forget_above(&mut connection, aggregate, found.into(), &gone).await
    })
    .await
}

/// The smallest number of slot groups that has all existing queues, at least `groups`. Beyond them, only the first queue is looked for
/// unless there may be `queues`: the broker logs each that does not exist.
async fn largest(
    channels: &Channels,
    settings: &Settings,
    aggregate: &str,
    groups: u8,
    queues: u8,
) -> Result<u8, Error> {
    let exists = async |number: u8| {
        let queue = consumer_queue(settings.service, aggregate, number);
        depth(channels, &queue).await.map(|found| found.is_some())
    };
    let mut last = groups - 1;
    for number in groups..SLOTS {
        if exists(number).await? {
            last = number;
        } else if last < groups && queues <= groups {
            break;
        }
    }
    Ok((last + 1).next_power_of_two())
}

fn warn(error: &Error) {
    tracing::warn!(causes = ?causes(error), "failed to record the numbers of slot groups");
}

fn setting(settings: &Settings, subscription: &Subscription) -> u8 {
    settings.slot_groups.of(subscription.aggregate())
}
