//! Answers subscribers that ask for missing messages.

use std::{collections::HashSet, time::Duration};

use envelope::BATCH_CONTENT_TYPE;
use lapin::{Channel, message::Delivery, options::BasicAckOptions};
use sqlx::PgConnection;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    QUERY_TIMEOUT,
    leadership::Leadership,
    message_copies::{self, LastPosition, MessageCopy},
    partition::Partition,
    positions,
    publisher::{ConfirmTimeouts, OutgoingMessage, Publisher},
};
use crate::{
    broker::{self, REPLY_TIMEOUT, Session},
    error::{Error, causes, with_timeout},
    message_position::{Absence, MessagePosition, MissingMessages, PositionRange, Purpose},
    naming::request_queue,
    provenance::{self, FOREIGN_PUBLISHER, Path, Refusal},
    settings::Settings,
    signatures::Content,
};

/// How often the leading process looks for requests. It is cheap, because the broker answers at once.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The pause after a failure.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// The most requests that are read before they are answered.
const MAX_REQUESTS: usize = 1_000;

/// The most messages that answer one range. The subscriber asks for the rest.
const MAX_COPIES: i64 = 1024;

/// The most messages that are read at once.
const ROUND: i64 = 64;

/// The most ranges of one request that are answered.
const MAX_RANGES: usize = 1_000;

/// How long a round of answers waits for its confirms.
const CONFIRM_TIMEOUTS: ConfirmTimeouts =
    ConfirmTimeouts { first: Duration::from_secs(5), next: Duration::from_secs(2) };

/// Answers requests for the leading relay.
pub(super) struct Answers<'a> {
    pub(super) leadership: Leadership<'a>,
    pub(super) settings: &'a Settings,
}

impl Answers<'_> {
    /// Answers until `stop`.
    pub(super) async fn run(&self, stop: &CancellationToken) {
        let mut session = None;
        let mut pause = POLL_INTERVAL;
        while stop.run_until_cancelled(sleep(pause)).await.is_some() {
            pause = POLL_INTERVAL;
            if !self.leadership.may_publish(self.settings) {
                continue;
            }
            let answering = Box::pin(self.answer_all(&mut session));
            let Some(answered) = stop.run_until_cancelled(answering).await else { break };
            if let Err(error) = answered {
                tracing::debug!(causes = ?causes(&error), "failed to answer a request for messages");
                session = None;
                pause = RETRY_DELAY;
            }
        }
        if let Some((session, _)) = session {
            session.close().await;
        }
    }

    /// Answers the requests in the queue.
    async fn answer_all(&self, open: &mut Option<(Session, Channel)>) -> Result<(), Error> {
        let Settings { amqp_url, service, .. } = self.settings;
        let (session, channel) = if let Some(open) = open.take() {
            open
        } else {
            let name = format!("{service}: answers");
            let session = Session::connect(amqp_url, &name, broker::HEARTBEAT).await?;
            let channel = session.channel().await?;
            (session, channel)
        };
        let mut publisher = None;
        while let Some((requests, last)) = self.waiting_requests(&channel).await? {
            for missing in requests {
                self.answer(&mut publisher, &missing).await?;
            }
            let ack = last.ack(BasicAckOptions { multiple: true });
            with_timeout("acknowledging requests", REPLY_TIMEOUT, ack).await?;
        }
        if let Some(publisher) = publisher {
            publisher.close().await;
        }
        *open = Some((session, channel));
        Ok(())
    }

    /// The first requests in the queue, without those that a later one replaces, and the last message read.
    ///
    /// A subscriber repeats its request until it has an answer, and each names all that is missing then. Answering each would take
    /// longer than they arrive: under load no answer would be in time.
    async fn waiting_requests(
        &self,
        channel: &Channel,
    ) -> Result<Option<(Vec<MissingMessages>, Delivery)>, Error> {
        let (mut requests, mut last) = (Vec::new(), None);
        for _ in 0..MAX_REQUESTS {
            let queue = request_queue(self.settings.service);
            let Some(delivery) = broker::get(channel, &queue).await? else { break };
            match serde_json::from_slice(&delivery.data) {
                Ok(missing) if self.is_genuine(&missing, &delivery) => requests.push(missing),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a request for messages is invalid; it is ignored");
                }
            }
            last = Some(delivery);
        }
        Ok(last.map(|last| (newest(requests), last)))
    }

    /// Whether a request is of the subscriber that it names. An invented one could begin a new history.
    fn is_genuine(&self, missing: &MissingMessages, delivery: &Delivery) -> bool {
        let MissingMessages { subscriber, .. } = missing;
        let checked = provenance::publisher(delivery, Path::Direct).and_then(|publisher| {
            if publisher != subscriber {
                let cause = format!("{publisher} asks in the name of {subscriber}");
                return Err(Refusal::new(FOREIGN_PUBLISHER, cause));
            }
            let content = Content::Request { asked: self.settings.service };
            self.leadership.outbox.signatures().verify(publisher, [content], delivery)
        });
        if let Err(Refusal { reason, cause }) = &checked {
            metrics::counter!("messaging_requests_refused_total", "reason" => *reason).increment(1);
            tracing::error!(reason, cause, "a request for messages is refused");
        }
        checked.is_ok()
    }

    /// Sends what is missing, with a new connection if there is none. A queue that does not confirm gets no more: another connection is
    /// used for the next request, and the subscriber asks again.
    async fn answer(
        &self,
        open: &mut Option<Publisher>,
        missing: &MissingMessages,
    ) -> Result<(), Error> {
        let MissingMessages { subscriber, aggregate, slot, history, ranges, reply_queue } = missing;
        let Some(queue) = missing.answer_queue() else {
            tracing::warn!(
                subscriber,
                slot,
                reply_queue,
                "a request names a slot or a queue that its subscriber does not have; it is ignored"
            );
            return Ok(());
        };
        let partition = Partition { aggregate: aggregate.clone(), slot: *slot };
        let Settings { amqp_url, service, .. } = self.settings;
        let mut publisher = match open.take() {
            Some(publisher) => publisher,
            None => Publisher::connect_for(amqp_url, service, "missing messages").await?,
        };
        let (mut sent, mut limit) = (0, MAX_COPIES);
        for range in ranges.iter().take(MAX_RANGES) {
            let mut rest = Some(*range);
            while let Some(range) = rest
                && limit > 0
            {
                let (answers, next) = self.read(&partition, *history, range).await?;
                let signatures = self.leadership.outbox.signatures();
                let messages: Vec<OutgoingMessage> = answers
                    .into_iter()
                    .map(|Answer { position, purpose, body }| OutgoingMessage {
                        id: Uuid::new_v4(),
                        // The queue is bound to the exchange under its own name.
                        exchange: (*service).to_owned(),
                        routing_key: queue.clone(),
                        content_type: BATCH_CONTENT_TYPE,
                        signature: signatures.sign(
                            Content::of_position(aggregate, position, purpose, &queue),
                            &body,
                        ),
                        body,
                        position: Some((position, purpose)),
                    })
                    .collect();
                let confirms = publisher.publish(&messages, CONFIRM_TIMEOUTS).await?;
                if !confirms.unanswered.is_empty() {
                    tracing::warn!(subscriber, %partition, queue, "missing messages are not confirmed");
                    return Ok(());
                }
                sent += messages.len();
                limit -= i64::try_from(messages.len()).unwrap_or(i64::MAX).max(1);
                rest = next;
            }
        }
        *open = Some(publisher);
        tracing::info!(subscriber, %partition, sent, "sent missing messages again");
        Ok(())
    }

    /// Reads the answers to the beginning of a range, of the history in which it was asked. Returns the rest of the range as well.
    async fn read(
        &self,
        partition: &Partition,
        asked: i64,
        range: PositionRange,
    ) -> Result<(Vec<Answer>, Option<PositionRange>), Error> {
        with_timeout("reading the message log", QUERY_TIMEOUT, async {
            let mut connection = self.leadership.outbox.pool().acquire().await?;
            let last = message_copies::last_position(&mut connection, partition).await?;
            let copies = message_copies::read(&mut connection, partition, range, ROUND).await?;
            let (answers, rest) = answers(copies, partition.slot, asked, range, last);
            if answers.iter().any(Answer::is_unknown)
                && asked == positions::history(&mut connection).await?
            {
                self.begin_history(&mut connection, partition, range, last.number).await?;
            }
            Ok::<_, Error>((answers, rest))
        })
        .await
    }

    /// A subscriber asks for positions that were not given out: this database has gone back, unless the position is forged.
    async fn begin_history(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        range: PositionRange,
        last: i64,
    ) -> Result<(), Error> {
        tracing::error!(
            %partition,
            asked = range.last,
            last,
            "a subscriber knows positions that were not given out; a new history begins"
        );
        metrics::counter!("messaging_histories_begun_total").increment(1);
        positions::begin_history(connection).await?;
        Box::pin(self.leadership.positions.reload(self.leadership.outbox.pool())).await
    }
}

/// Only the last request of each subscriber for a slot, in their order.
fn newest(requests: Vec<MissingMessages>) -> Vec<MissingMessages> {
    let mut seen = HashSet::new();
    let mut newest: Vec<MissingMessages> = requests
        .into_iter()
        .rev()
        .filter(|request| {
            let MissingMessages { subscriber, aggregate, slot, history, reply_queue, .. } = request;
            seen.insert((
                subscriber.clone(),
                aggregate.clone(),
                *slot,
                *history,
                reply_queue.clone(),
            ))
        })
        .collect();
    newest.reverse();
    newest
}

/// A message that answers a part of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) position: MessagePosition,
    pub(crate) purpose: Purpose,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) const fn is_unknown(&self) -> bool {
        matches!(self.purpose, Purpose::Absent { why: Absence::Unknown, .. })
    }
}

/// The answers to a range, of which `copies` are the first messages in the log; and the part of the range that remains. `last` is the
/// last position in the log.
pub(crate) fn answers(
    copies: Vec<MessageCopy>,
    slot: i16,
    history: i64,
    range: PositionRange,
    last: LastPosition,
) -> (Vec<Answer>, Option<PositionRange>) {
    let position = |number| MessagePosition { history, slot, number };
    let absent = |first, until, why| Answer {
        position: position(first),
        purpose: Purpose::Absent { until, why },
        body: b"[]".to_vec(),
    };
    let (mut answers, mut next) = (Vec::new(), range.first);
    // A subscriber that never received anything begins here, unless the log is complete.
    let is_incomplete = range.first == 1 && copies.first().is_none_or(|copy| copy.number > 1);
    let copies = if is_incomplete { Vec::new() } else { copies };
    let is_full = i64::try_from(copies.len()).unwrap_or(i64::MAX) >= ROUND;
    for MessageCopy { number, events, body } in copies {
        if next < number {
            answers.push(absent(next, number - 1, Absence::Expired));
        }
        answers.push(if events == 0 {
            absent(number, number, Absence::Unused)
        } else {
            Answer { position: position(number), purpose: Purpose::Again, body }
        });
        next = number + 1;
    }
    if is_full && next <= range.last {
        return (answers, Some(PositionRange { first: next, last: range.last }));
    }
    let known = range.last.min(last.number);
    if next <= known {
        answers.push(absent(next, known, Absence::Expired));
    }
    // If it may grow, the subscriber asks again.
    if range.last > last.number && !last.may_grow {
        answers.push(absent(last.number + 1, range.last, Absence::Unknown));
    }
    (answers, None)
}

#[cfg(test)]
mod tests {
    use super::{
        Absence, Answer, LastPosition, MessageCopy, MessagePosition, MissingMessages,
        PositionRange, Purpose, ROUND, answers, newest,
    };

    fn copy(number: i64, events: i32) -> MessageCopy {
        MessageCopy { number, events, body: vec![u8::try_from(number % 100).unwrap()] }
    }

    fn range(first: i64, last: i64) -> PositionRange {
        PositionRange { first, last }
    }

    fn last(number: i64) -> LastPosition {
        LastPosition { number, may_grow: false }
    }

    fn summary(answers: &[Answer]) -> Vec<(i64, Purpose)> {
        answers.iter().map(|answer| (answer.position.number, answer.purpose)).collect()
    }

    #[test]
    fn each_position_of_a_range_is_answered() {
        let absent = |until, why| Purpose::Absent { until, why };
        let copies = vec![copy(4, 1), copy(5, 0), copy(7, 2)];
        let (found, rest) = answers(copies, 3, 9, range(2, 12), last(10));
        assert_eq!(
            summary(&found),
            [
                (2, absent(3, Absence::Expired)),
                (4, Purpose::Again),
                (5, absent(5, Absence::Unused)),
                (6, absent(6, Absence::Expired)),
                (7, Purpose::Again),
                (8, absent(10, Absence::Expired)),
                (11, absent(12, Absence::Unknown)),
            ]
        );
        assert_eq!(rest, None);
        assert_eq!(found[1].position, MessagePosition { history: 9, slot: 3, number: 4 });
        assert_eq!(found[1].body, [4]);
    }

    #[test]
    fn a_log_without_its_beginning_is_not_sent_from_there() {
        let (found, rest) = answers(vec![copy(2, 1), copy(3, 1)], 3, 9, range(1, 3), last(10));
        let expired = Purpose::Absent { until: 3, why: Absence::Expired };
        assert_eq!((summary(&found), rest), (vec![(1, expired)], None));
    }

    #[test]
    fn a_range_without_any_position_is_unknown() {
        let (found, rest) = answers(vec![], 3, 9, range(11, i64::MAX), last(10));
        let unknown = Purpose::Absent { until: i64::MAX, why: Absence::Unknown };
        assert_eq!((summary(&found), rest), (vec![(11, unknown)], None));
    }

    #[test]
    fn positions_that_may_have_been_published_are_not_denied() {
        let growing = LastPosition { number: 10, may_grow: true };
        let (found, rest) = answers(vec![copy(10, 1)], 3, 9, range(10, 12), growing);
        assert_eq!((summary(&found), rest), (vec![(10, Purpose::Again)], None));
    }

    #[test]
    fn a_long_range_is_answered_in_rounds() {
        let copies = (1..=ROUND).map(|number| copy(number, 1)).collect();
        let (found, rest) = answers(copies, 3, 9, range(1, 1_000), last(1_000));
        assert_eq!(found.len(), usize::try_from(ROUND).unwrap());
        assert_eq!(rest, Some(range(ROUND + 1, 1_000)));
    }

    #[test]
    fn a_later_request_for_a_slot_replaces_earlier_ones() {
        let request = |subscriber: &str, slot, first| MissingMessages {
            subscriber: subscriber.to_owned(),
            aggregate: "stock".to_owned(),
            slot,
            history: 9,
            ranges: vec![range(first, 10)],
            reply_queue: None,
        };
        let requests = vec![
            request("order", 3, 1),
            request("order", 4, 1),
            request("search-sync", 3, 1),
            request("order", 3, 2),
        ];
        let expected =
            [request("order", 4, 1), request("search-sync", 3, 1), request("order", 3, 2)];
        assert_eq!(newest(requests), expected);
    }
}
