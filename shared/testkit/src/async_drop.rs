//! Asynchronous clean-up in `Drop`.

use crate::error::Error;

/// Runs `cleanup` to its end on a new runtime, because the test's runtime may be gone. Failures are logged and not retried: the
/// server removes the leftovers when it ends.
pub(crate) fn async_drop(what: &str, cleanup: impl Future<Output = Result<(), Error>> + Send) {
    let run = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::file("a runtime"))
            .and_then(|runtime| runtime.block_on(cleanup))
    };
    // A new thread, because a runtime cannot be entered from within another.
    let done = std::thread::scope(|scope| scope.spawn(run).join());
    if let Ok(Err(error)) = done {
        tracing::warn!(%error, "failed to remove the {what} of a test");
    }
}
