//! Invariant 5: no message and no event is under way.

use rabbitmq_management::QueueState;

use crate::{
    error::Error,
    findings::{Findings, Violation},
    sessions::Sessions,
    streams::STREAM,
    suite::SERVICES,
};

/// The most unpublished or parked events that are listed per service.
const LISTED_EVENTS: i64 = 1000;

/// Invariant 5, in the broker: all queues are empty, also those of unroutable and of dead-lettered messages.
/// Streams retain messages.
pub(crate) fn check_queues(queues: &[QueueState], findings: &mut Findings) {
    findings.checked.insert("queues", i64::try_from(queues.len()).unwrap_or(i64::MAX));
    let full = queues.iter().filter(|queue| queue.kind != STREAM && queue.messages > 0);
    let violation = |queue: &QueueState| Violation {
        text: format!("{} messages in {}", queue.messages, queue.name),
        // A queue whose messages are acknowledged moves, even if it is never empty.
        identity: format!("{} after {} acknowledgements", queue.name, queue.message_stats.ack),
    };
    findings.add(5, full.map(violation));
}

/// Invariant 5: no event is in transit, except dead letters, which wait for operators.
pub(crate) async fn check_messaging(
    sessions: &mut Sessions<'_>,
    findings: &mut Findings,
) -> Result<(), Error> {
    let (mut dead, mut pending) = (0, 0);
    for service in SERVICES {
        let mut connection = sessions.of(service).await?;
        let unpublished: Vec<(String, String)> = connection.rows(&format!(
                "select kind, event_id::text from messaging.outbox order by id limit {LISTED_EVENTS}"
            ),
        )
        .await?;
        findings.add(
            5,
            unpublished
                .into_iter()
                .map(|(kind, id)| format!("{service}: {kind} {id} is not published")),
        );
        let parked: Vec<(String, String, i64)> = connection
            .rows(&format!(
                "select consumer, key, seq from messaging.parked
                 order by consumer, source, aggregate, key, seq limit {LISTED_EVENTS}"
            ))
            .await?;
        findings.add(
            5,
            parked.into_iter().map(|(consumer, key, sequence)| {
                format!("{consumer}: event {sequence} of {key} is parked")
            }),
        );
        let stuck: Vec<(String, String)> = connection.rows("select c.consumer, c.key from messaging.cursor c where c.hold <> 'free' and not exists (
                 select from messaging.dead_letter d
                 where d.consumer = c.consumer and d.source = c.source and d.key = c.key and d.state = 'pending'
             )",
        )
        .await?;
        findings.add(
            5,
            stuck.into_iter().map(|(consumer, key)| {
                format!("{consumer} blocks key {key} without a pending dead letter")
            }),
        );
        dead += connection.number("select count(*) from messaging.dead_letter").await?;
        pending += connection
            .number("select count(*) from messaging.dead_letter where state = 'pending'")
            .await?;
    }
    findings.checked.extend([("dead_letters", dead), ("pending_dead_letters", pending)]);
    Ok(())
}
