//! An operator declares events lost; the events behind them continue in order. What arrives after all is not applied, and not silent.

use messaging::{
    OnReject,
    dead_letters::{
        self, DeadLetter, Declaration, DeclareLostError, LostEvents, MissingEvents, Selection,
        declare_lost, lost_events, redrive,
    },
};
use metrics_exporter_prometheus::PrometheusBuilder;
use sqlx::AssertSqlSafe;
use testkit::wait_for;
use uuid::Uuid;

use crate::harness::{Harness, TIMEOUT, wait_for_count};

async fn pending(harness: &Harness) -> Vec<DeadLetter> {
    let mut connection = harness.consumer.pool().acquire().await.unwrap();
    dead_letters::list(&mut connection, &Selection::default(), true, None, 100).await.unwrap()
}

/// Waits until the only pending dead letter has this reason and number.
async fn wait_for_letter(harness: &Harness, reason: &str, sequence: i64) -> DeadLetter {
    wait_for("the dead letter exists", TIMEOUT, async || {
        let mut letters = pending(harness).await;
        let is_meant = |one: &DeadLetter| one.reason == reason && one.sequence == Some(sequence);
        match letters.pop() {
            Some(letter) if letters.is_empty() && is_meant(&letter) => Ok(letter),
            other => Err(format!("{other:?} and {letters:?}")),
        }
    })
    .await
    .unwrap()
}

/// Publishes the steps of a walk, of which the outbox keeps only `numbers`. The others are in the copy.
async fn publish_only(harness: &Harness, walk: &str, last: i64, numbers: &[i64]) {
    harness.publish_steps(&[walk], 1..=last).await;
    harness.copy_outbox().await;
    let numbers = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let divide = format!(
        "delete from messaging.outbox where seq not in ({numbers});
         delete from copy where seq in ({numbers})"
    );
    sqlx::raw_sql(AssertSqlSafe(divide)).execute(harness.publisher.pool()).await.unwrap();
}

/// Ends the minute for which events wait for their predecessors.
async fn end_wait(harness: &Harness, parked: i64) {
    let pool = harness.consumer.pool();
    wait_for_count("events wait for a predecessor", pool, "messaging.parked", parked).await;
    sqlx::raw_sql("update messaging.parked set next_at = now() where next_at is not null")
        .execute(pool)
        .await
        .unwrap();
}

async fn missing(harness: &Harness, id: Uuid) -> Option<MissingEvents> {
    let mut connection = harness.consumer.pool().acquire().await.unwrap();
    let shown = dead_letters::show(&mut connection, &harness.consumer_topology(), id).await;
    shown.unwrap().unwrap().missing
}

async fn declare(
    harness: &Harness,
    id: Uuid,
    (first, last): (i64, i64),
    reason: &str,
) -> Result<LostEvents, DeclareLostError> {
    let lost = MissingEvents { first, last };
    let declaration = Declaration { lost, reason, declared_by: Some("tester") };
    declare_lost(&harness.consumer, id, declaration).await
}

#[tokio::test]
async fn a_key_continues_without_the_events_declared_lost() {
    // The consumer runs on the thread of the test.
    let recorder = PrometheusBuilder::new().build_recorder();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let harness = Harness::open(OnReject::BlockKey).await;
    publish_only(&harness, "holed", 6, &[1, 4, 6]).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    end_wait(&harness, 2).await;
    let letter = wait_for_letter(&harness, "missing_predecessor", 4).await;
    let (two_and_three, five) = ((2, 3), (5, 5));
    assert_eq!(missing(&harness, letter.id).await, Some(MissingEvents { first: 2, last: 3 }));
    for reason in ["", " ", "a\0b", &"x".repeat(501)] {
        let refused = declare(&harness, letter.id, two_and_three, reason).await;
        assert!(matches!(refused, Err(DeclareLostError::InvalidReason)), "{refused:?}");
    }
    for others in [(2, 2), (3, 3), (1, 3), (2, 4), (3, 2)] {
        let refused = declare(&harness, letter.id, others, "gone").await;
        assert!(matches!(refused, Err(DeclareLostError::OthersMissing(_))), "{refused:?}");
    }
    let unknown = declare(&harness, Uuid::now_v7(), two_and_three, "gone").await;
    assert!(matches!(unknown, Err(DeclareLostError::Unknown(_))), "{unknown:?}");
    assert_eq!(harness.effects("holed").await, [1]);

    let declared = declare(&harness, letter.id, two_and_three, "gone").await.unwrap();
    assert_eq!((declared.key.as_str(), declared.first, declared.last), ("holed", 2, 3));
    assert_eq!(declared.declared_by.as_deref(), Some("tester"));
    harness.wait_for_effects("holed", &[1, 4]).await;
    // The dead letter is resolved. The next gap is not declared lost by it.
    assert_eq!(declare(&harness, letter.id, two_and_three, "again").await.unwrap(), declared);
    end_wait(&harness, 1).await;
    let next = wait_for_letter(&harness, "missing_predecessor", 6).await;
    declare(&harness, next.id, five, "gone as well").await.unwrap();
    harness.wait_for_effects("holed", &[1, 4, 6]).await;
    let nothing = declare(&harness, next.id, (7, 7), "gone").await;
    assert!(matches!(nothing, Err(DeclareLostError::NothingMissing)), "{nothing:?}");
    harness.assert_drained().await;
    assert_eq!(pending(&harness).await.len(), 0);
    let text = recorder.handle().render();
    let line = "messaging_events_declared_lost_total{consumer=\"consumer.walk\"} 3";
    assert!(text.contains(line), "{text}");
    publisher.shut_down().await;
    consumer.shut_down().await;
}

#[tokio::test]
async fn a_lost_event_that_arrives_is_recorded_and_not_applied() {
    let harness = Harness::open(OnReject::BlockKey).await;
    publish_only(&harness, "holed", 3, &[2, 3]).await;
    let (publisher, consumer) = (harness.start_publisher(), harness.start_consumer());
    end_wait(&harness, 2).await;
    let letter = wait_for_letter(&harness, "missing_predecessor", 2).await;
    declare(&harness, letter.id, (1, 1), "gone").await.unwrap();
    harness.wait_for_effects("holed", &[2, 3]).await;
    // It arrives three times.
    for _ in 0..3 {
        harness.restore_outbox().await;
        harness.assert_drained().await;
    }
    let late = wait_for_letter(&harness, "declared_lost", 1).await;
    assert!(!late.blocks, "{late:?}");
    assert!(late.causes[0].starts_with("the event was declared lost at"), "{late:?}");
    assert_eq!(harness.effects("holed").await, [2, 3]);
    let mut connection = harness.consumer.pool().acquire().await.unwrap();
    let listed = lost_events(&mut connection, 10).await.unwrap();
    drop(connection);
    assert_eq!((listed.len(), listed[0].arrived.as_slice()), (1, [1].as_slice()));
    // The key is not held up, and an operator may apply the event late, once.
    harness.publish_steps(&["holed"], 4..=4).await;
    harness.wait_for_effects("holed", &[2, 3, 4]).await;
    redrive(&harness.consumer, &harness.consumer_topology(), late.id).await.unwrap();
    harness.wait_for_effects("holed", &[2, 3, 4, 1]).await;
    harness.restore_outbox().await;
    harness.assert_drained().await;
    assert_eq!(harness.effects("holed").await, [2, 3, 4, 1]);
    assert_eq!(pending(&harness).await.len(), 0);
    publisher.shut_down().await;
    consumer.shut_down().await;
}
