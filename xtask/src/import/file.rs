//! Reads a file of products line by line, so that a file of any size takes little memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use futures::stream;
use reqwest::Body;
use tokio::sync::mpsc;

use super::icecat;

/// How much is sent at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// How many chunks may wait to be sent.
const AHEAD: usize = 8;

/// One chunk of the body, or why there is none.
type Chunk = io::Result<Vec<u8>>;

/// The products of a file as the body of a request. A file that cannot be read makes the request fail.
pub(super) fn body(path: PathBuf) -> Body {
    let (chunks, inbox) = mpsc::channel(AHEAD);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = read(&path, &chunks) {
            let told = io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            // Nobody listens any more if the request has ended before its body.
            let _unheard = chunks.blocking_send(Err(told));
        }
    });
    Body::wrap_stream(stream::unfold(inbox, async |mut inbox| Some((inbox.recv().await?, inbox))))
}

/// The lines of a file, each made a product of ours. Lines keep their numbers, empty ones too: the catalogue's refusals
/// name them.
pub(super) fn lines(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Vec<u8>>>> {
    let file = File::open(path)?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::new(reader).split(b'\n').map(|line| line.map(icecat::converted)))
}

/// Sends the lines of a file.
fn read(path: &Path, chunks: &mpsc::Sender<Chunk>) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK);
    for line in lines(path)? {
        chunk.extend(line?);
        chunk.push(b'\n');
        if chunk.len() >= CHUNK && chunks.blocking_send(Ok(std::mem::take(&mut chunk))).is_err() {
            return Ok(());
        }
    }
    let _unheard = chunks.blocking_send(Ok(chunk));
    Ok(())
}
