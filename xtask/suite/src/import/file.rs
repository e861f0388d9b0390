//! Reads a file of products line by line, with little memory for a file of any size.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use futures::stream;
use reqwest::Body;
use tokio::sync::mpsc;

use super::icecat;

/// The size of a chunk in bytes.
const CHUNK_SIZE: usize = 64 * 1024;

/// The number of buffered chunks.
const QUEUE_CAPACITY: usize = 8;

/// One chunk of the body.
type Chunk = io::Result<Vec<u8>>;

/// The products of a file as the body of a request. If the file cannot be read, the request fails.
pub fn body(path: PathBuf) -> Body {
    let (chunks, inbox) = mpsc::channel(QUEUE_CAPACITY);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(&path, &chunks) {
            let error = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            // The channel is closed if the request has ended before its body.
            let _closed = chunks.blocking_send(Err(error));
        }
    });
    Body::wrap_stream(stream::unfold(inbox, async |mut inbox| Some((inbox.recv().await?, inbox))))
}

/// The lines of a file, each converted to a product of the shop. Empty lines remain: the catalogue reports
/// refused rows by line number.
pub(super) fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    let file = File::open(path)?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(reader).split(b'\n').map(|line| line.map(icecat::converted)))
}

/// Sends the lines of a file in chunks.
fn read(path: &Path, chunks: &mpsc::Sender<Chunk>) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK_SIZE);
    for line in lines(path)? {
        chunk.extend(line?);
        chunk.push(b'\n');
        if chunk.len() >= CHUNK_SIZE
            && chunks.blocking_send(Ok(std::mem::take(&mut chunk))).is_err()
        {
            return Ok(());
        }
    }
    let _closed = chunks.blocking_send(Ok(chunk));
    Ok(())
}
