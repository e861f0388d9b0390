//! Invariant 6: every accepted user event is counted once.

use rabbitmq_management::QueueState;

use crate::{
    error::Error,
    findings::Findings,
    sessions::Sessions,
    streams::{STREAM, has_message_at_or_after},
    suite::Broker,
};

/// Invariant 6: every user event read from the stream is stored once, or counted as duplicate, expired or
/// erased.
pub(crate) async fn check_user_events(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut analytics = sessions.of("behavior-analytics").await?;
    let stored = analytics.number("select count(*) from user_event").await?;
    findings.checked.insert("user_events", stored);
    let missing = analytics
        .number(
            "select (coalesce(sum(stored - expired), 0)
             - (select count(*) from user_event)
             - (select coalesce(sum(events), 0) from erasure))::bigint
         from intake_count",
        )
        .await?;
    if missing != 0 {
        findings.add(6, [format!("{missing} counted user events are missing")]);
    }
    Ok(())
}

/// Invariant 6, in the broker: the stream has no unread user event. No table would show that one is missing.
pub(crate) async fn check_streams(
    sessions: &mut Sessions<'_>,
    broker: Broker<'_>,
    queues: &[QueueState],
    findings: &mut Findings,
) -> Result<(), Error> {
    let mut analytics = sessions.of("behavior-analytics").await?;
    let streams: Vec<&QueueState> = queues.iter().filter(|queue| queue.kind == STREAM).collect();
    findings.checked.insert("streams", i64::try_from(streams.len()).unwrap_or(i64::MAX));
    for QueueState { name, .. } in streams {
        // Without an offset, nothing has been read.
        let query =
            "select coalesce(min(next_offset), 0) from messaging.stream_offset where stream = $1";
        let read = analytics.number_for(query, name).await?;
        if has_message_at_or_after(broker.amqp_url, name, read).await? {
            findings.add(6, [format!("{name} has unread messages from offset {read}")]);
        }
    }
    Ok(())
}
