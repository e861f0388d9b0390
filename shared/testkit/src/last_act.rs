//! What a guard does when it is dropped.

use crate::Error;

/// Runs the last act of a guard to its end, on a runtime of its own, for the one of the test may be gone. It is tried once; what
/// it leaves behind ends with the server.
pub(crate) fn last_act(what: &str, act: impl Future<Output = Result<(), Error>> + Send) {
    let run = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::file("a runtime"))
            .and_then(|runtime| runtime.block_on(act))
    };
    // A thread of its own, because a runtime cannot be entered from within another.
    let done = std::thread::scope(|scope| scope.spawn(run).join());
    if let Ok(Err(error)) = done {
        tracing::warn!(%error, "the {what} of a test stays behind");
    }
}
