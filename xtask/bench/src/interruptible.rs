//! Ctrl-C.

use suite::{Error as SuiteError, Interrupt};

use crate::error::Error;

/// Runs `bench` to its end, or until SIGINT, SIGTERM or SIGHUP.
///
/// Then `bench` is dropped: its private servers end and their folders are removed. The servers that tests share end with
/// this process.
pub(crate) async fn run(bench: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        done = bench => done,
        () = interrupt.received() => Err(SuiteError::Interrupted.into()),
    }
}
