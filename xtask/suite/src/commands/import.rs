//! Imports products from a file through the public route.

use std::time::Instant;

use runtime::auth::Scope;
use suite::{
    Error, Http, Keys, State,
    import::{Upload, body, content_type, upload, wait_until_applied},
    output,
};
use xtask::arguments::Import;

/// Imports a file and waits until all of it is searchable.
pub(crate) async fn run(arguments: Import) -> Result<(), Error> {
    let state = State::running()?.ok_or(Error::NotRunning)?;
    let http = Http::new()?;
    let token = Keys::in_suite().token("xtask", &[Scope::CatalogWrite])?;
    let began = Instant::now();
    let Import { file, parameters } = arguments;
    let content_type = content_type(&file);
    let sent = Upload { content_type, parameters, body: body(file) };
    let import = upload(&http, &state, &token, sent).await?;
    output::line(format!("Imported after {:.1} s.", began.elapsed().as_secs_f64()));
    wait_until_applied(&http, &state, &token, &import).await?;
    output::line(format!("Searchable after {:.1} s.", began.elapsed().as_secs_f64()));
    Ok(())
}
