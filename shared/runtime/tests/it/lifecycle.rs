//! Tasks, and the two ends of them.

use std::convert::Infallible;
use std::process::ExitCode;
use std::time::Duration;

use runtime::Lifecycle;
use tokio::sync::oneshot;

use crate::soon;

const LONG: Duration = Duration::from_mins(10);

fn is_failure(code: ExitCode) -> bool {
    format!("{code:?}") == format!("{:?}", ExitCode::FAILURE)
}

/// Sends when it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // Nobody may be waiting.
        let _ = self.0.take().unwrap().send(());
    }
}

fn dropped() -> (Dropped, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    (Dropped(Some(sender)), receiver)
}

#[tokio::test]
async fn a_life_that_is_ended_on_purpose_is_a_success() {
    let lifecycle = Lifecycle::new(LONG);
    let soft = lifecycle.soft();
    lifecycle.spawn("obedient", async move {
        soft.cancelled().await;
        Ok::<(), Infallible>(())
    });
    lifecycle.spawn("short", async { Ok::<(), Infallible>(()) });
    lifecycle.shutdown();
    assert!(!is_failure(soon(lifecycle.run_until_shutdown()).await));
}

#[tokio::test]
async fn a_task_that_fails_ends_everything_with_a_failure() {
    let lifecycle = Lifecycle::new(LONG);
    let soft = lifecycle.soft();
    lifecycle.spawn("other", async move {
        soft.cancelled().await;
        Ok::<(), Infallible>(())
    });
    lifecycle.spawn("failing", async { Err(std::io::Error::other("broken")) });
    assert!(is_failure(soon(lifecycle.run_until_shutdown()).await));
}

#[tokio::test]
async fn a_task_that_panics_ends_everything_with_a_failure() {
    let lifecycle = Lifecycle::new(LONG);
    lifecycle.spawn("panicking", async {
        assert_eq!(1 + 1, 3, "this is supposed to panic");
        Ok::<(), Infallible>(())
    });
    assert!(is_failure(soon(lifecycle.run_until_shutdown()).await));
    assert!(lifecycle.soft().is_cancelled());
    assert!(!lifecycle.hard().is_cancelled());
}

#[tokio::test]
async fn the_soft_end_waits_for_what_is_in_hand() {
    let lifecycle = Lifecycle::new(LONG);
    let (finish, finished) = oneshot::channel::<()>();
    lifecycle.spawn("working", finished);
    lifecycle.shutdown();
    let mut running = std::pin::pin!(lifecycle.run_until_shutdown());
    // However often it is asked, it is not over before the work is.
    for _ in 0..100 {
        assert!(futures::poll!(&mut running).is_pending());
        tokio::task::yield_now().await;
    }
    finish.send(()).unwrap();
    assert!(!is_failure(soon(running).await));
}

#[tokio::test]
async fn the_hard_end_drops_what_does_not_finish() {
    let lifecycle = Lifecycle::new(Duration::from_millis(20));
    let (guard, gone) = dropped();
    lifecycle.spawn("stubborn", async move {
        let _guard = guard;
        std::future::pending::<Result<(), Infallible>>().await
    });
    lifecycle.shutdown();
    assert!(!is_failure(soon(lifecycle.run_until_shutdown()).await));
    soon(gone).await.unwrap();
}

#[tokio::test]
async fn an_abort_ends_everything_at_once() {
    let lifecycle = Lifecycle::new(LONG);
    let (guard, gone) = dropped();
    lifecycle.spawn("stubborn", async move {
        let _guard = guard;
        std::future::pending::<Result<(), Infallible>>().await
    });
    let hard = lifecycle.hard().drop_guard();
    drop(hard);
    soon(gone).await.unwrap();
    assert!(lifecycle.soft().is_cancelled());
    assert!(!is_failure(soon(lifecycle.run_until_shutdown()).await));
}
