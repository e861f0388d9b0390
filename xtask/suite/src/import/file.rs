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

/// The content type of lines of JSON.
pub const NDJSON: &str = "application/x-ndjson";

/// The number of buffered chunks.
const QUEUE_CAPACITY: usize = 8;

/// One chunk of the body.
type Chunk = io::Result<Vec<u8>>;

/// The content type of a file, by its name: a product file or a workbook; otherwise NDJSON.
pub fn content_type(path: &Path) -> &'static str {
    let extension =
        |path: &Path| path.extension().and_then(|name| name.to_str()).map(str::to_lowercase);
    let inner = match extension(path).as_deref() {
        Some("gz") => extension(&path.with_extension("")),
        other => other.map(str::to_owned),
    };
    match inner.as_deref() {
        Some("csv") => "text/csv",
        Some("tsv") => "text/tab-separated-values",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        Some(_) | None => NDJSON,
    }
}

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
    Ok(BufReader::new(open(path)?).split(b'\n').map(|line| line.map(icecat::converted)))
}

/// The content of a file, unpacked if it is compressed.
fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let file = File::open(path)?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if compressed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Sends the content of a file in chunks, lines of JSON converted.
fn read(path: &Path, chunks: &mpsc::Sender<Chunk>) -> io::Result<()> {
    if content_type(path) != NDJSON {
        let mut reader = open(path)?;
        loop {
            let mut chunk = vec![0; CHUNK_SIZE];
            let length = reader.read(&mut chunk)?;
            chunk.truncate(length);
            if length == 0 || chunks.blocking_send(Ok(chunk)).is_err() {
                return Ok(());
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{NDJSON, content_type};

    #[test]
    fn name_of_a_file_gives_its_content_type() {
        for (name, expected) in [
            ("a/prices.csv", "text/csv"),
            ("PRICES.CSV", "text/csv"),
            ("feed.tsv.gz", "text/tab-separated-values"),
            ("b.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("products.ndjson", NDJSON),
            ("products.ndjson.gz", NDJSON),
            ("products", NDJSON),
        ] {
            assert_eq!(content_type(Path::new(name)), expected, "{name}");
        }
    }
}
