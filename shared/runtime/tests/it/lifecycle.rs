//! Tasks, and their soft and hard stop.

use std::{convert::Infallible, process::ExitCode, time::Duration};

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
        // The receiver may be gone.
        let _ = self.0.take().unwrap().send(());
    }
}

fn dropped() -> (Dropped, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    (Dropped(Some(sender)), receiver)
}

#[tokio::test]
async fn a_requested_shutdown_is_a_success() {
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
async fn a_failed_task_stops_the_process_with_failure() {
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
async fn a_panicked_task_stops_the_process_with_failure() {
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
async fn the_soft_stop_waits_for_current_work() {
    let lifecycle = Lifecycle::new(LONG);
    let (finish, finished) = oneshot::channel::<()>();
    lifecycle.spawn("working", finished);
    lifecycle.shutdown();
    let mut running = std::pin::pin!(lifecycle.run_until_shutdown());
    // Polling it does not end it before the work ends.
    for _ in 0..100 {
        assert!(futures::poll!(&mut running).is_pending());
        tokio::task::yield_now().await;
    }
    finish.send(()).unwrap();
    assert!(!is_failure(soon(running).await));
}

#[tokio::test]
async fn the_hard_stop_drops_unfinished_tasks() {
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
async fn an_abort_stops_all_tasks_at_once() {
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
