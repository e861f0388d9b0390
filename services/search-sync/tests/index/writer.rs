//! Commits, reopening and damage.

use std::{fs, path::Path};

use search_sync::index::{Change, Document, Index, OpenError, Query, WriteError};

use super::{
    products::{documents, hits_for, id, search, titled},
    random_changes::files_at_one_moment,
};

fn all() -> Vec<Change> {
    documents().into_iter().map(|document| Change::Upsert(Box::new(document))).collect()
}

#[test]
fn applied_changes_are_visible_and_durable() {
    let folder = tempfile::tempdir().unwrap();
    {
        let index = Index::open(folder.path()).unwrap();
        assert_eq!(index.payload().unwrap(), None);
        let mut writer = index.writer().unwrap();
        writer.apply(&all(), "17").unwrap();
        assert_eq!(search(&index, "f87").total, 1);
        writer.apply(&[Change::Delete(id(1)), Change::Delete(id(999))], "18").unwrap();
        assert_eq!(search(&index, "f87").total, 0);
        assert_eq!(index.version_of(id(1)).unwrap(), None);
        writer.apply(&[], "19").unwrap();
        writer.close().unwrap();
    }
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.payload().unwrap().as_deref(), Some("19"));
    assert_eq!(index.documents(), 31);
    assert!(index.bytes().unwrap() > 0);
    assert_eq!(hits_for(&index, "f99"), [2]);
}

#[test]
fn the_last_upsert_of_a_batch_wins() {
    let index = Index::in_memory().unwrap();
    let mut writer = index.writer().unwrap();
    let mut document = documents()[0].clone();
    let versions = (1..=3).map(|version| {
        document.version = version;
        document.title.zh = Some(format!("第{version}版"));
        Change::Upsert(Box::new(document.clone()))
    });
    let versions: Vec<Change> = versions.collect();
    writer.apply(&versions, "3").unwrap();
    assert_eq!(index.documents(), 1);
    assert_eq!(index.version_of(id(1)).unwrap(), Some(3));
    assert_eq!(index.versions().unwrap(), [(id(1), 3)]);
    writer.apply(&[Change::Delete(id(1)), versions[0].clone()], "4").unwrap();
    assert_eq!(index.versions().unwrap(), [(id(1), 1)]);
}

#[test]
fn small_commits_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.apply(&all(), "0").unwrap();
    for round in 1..=60 {
        let mut document = documents()[round % 32].clone();
        document.version = i64::try_from(round).unwrap() + 1;
        writer.apply(&[Change::Upsert(Box::new(document))], &round.to_string()).unwrap();
        assert!(index.segments() <= 24, "{}", index.segments());
    }
    let writer = writer.compact().unwrap();
    drop(writer);
    assert_eq!((index.segments(), index.documents()), (1, 32));
    assert_eq!(index.payload().unwrap().as_deref(), Some("60"));
}

/// A small product in this version.
fn numbered(number: u128, version: i64) -> Change {
    Change::Upsert(Box::new(Document { version, ..titled(number, "纸巾") }))
}

#[test]
fn a_killed_commit_can_be_repeated() {
    let folder = tempfile::tempdir().unwrap();
    drop(built(folder.path()));
    let before = files_at_one_moment(folder.path());
    let apply = |folder: &Path| {
        let index = Index::open(folder).unwrap();
        index.writer().unwrap().apply(&[numbered(1, 2)], "2").unwrap();
        index
    };
    drop(apply(folder.path()));
    // The kill comes before the list of the valid files is replaced.
    fs::copy(before.path().join("meta.json"), folder.path().join("meta.json")).unwrap();
    let index = apply(folder.path());
    assert_eq!((index.documents(), index.version_of(id(1)).unwrap()), (32, Some(2)));
}

#[test]
fn the_first_change_after_a_kill_replaces_its_product() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let mut writer = index.writer().unwrap();
    // Five segments, the second the largest.
    for (number, products) in [0..3, 3..10, 10..11, 11..12, 12..13].into_iter().enumerate() {
        let changes: Vec<Change> = products.map(|product| numbered(product, 1)).collect();
        writer.apply(&changes, &number.to_string()).unwrap();
    }
    // The sixth begins a merge, which the kill interrupts.
    writer.apply(&[numbered(0, 2)], "5").unwrap();
    let killed = files_at_one_moment(folder.path());
    let index = Index::open(killed.path()).unwrap();
    let mut writer = index.writer().unwrap();
    writer.apply(&[numbered(1, 2)], "6").unwrap();
    writer.close().unwrap();
    let expected = (0..13).map(|number| (id(number), if number < 2 { 2 } else { 1 }));
    assert_eq!(index.versions().unwrap(), expected.collect::<Vec<_>>());
}

#[test]
fn an_index_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let writer = index.writer().unwrap();
    assert!(matches!(index.writer(), Err(WriteError::Locked)));
    drop(writer);
    assert!(index.writer().is_ok());
}

#[test]
fn another_format_needs_a_rebuild() {
    let folder = tempfile::tempdir().unwrap();
    drop(built(folder.path()));
    let meta = folder.path().join("meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("format_", "old_format_")).unwrap();
    let error = Index::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenError::Format) && error.needs_rebuild());
}

#[test]
fn damage_is_detected() {
    let broken_meta = tempfile::tempdir().unwrap();
    drop(built(broken_meta.path()));
    fs::write(broken_meta.path().join("meta.json"), "{\"segments\": [").unwrap();
    let broken_byte = tempfile::tempdir().unwrap();
    drop(built(broken_byte.path()));
    let store = file_of(broken_byte.path(), "store");
    let mut bytes = fs::read(&store).unwrap();
    bytes[20] ^= 0xff;
    fs::write(&store, bytes).unwrap();
    let cut_short = tempfile::tempdir().unwrap();
    drop(built(cut_short.path()));
    fs::write(file_of(cut_short.path(), "term"), b"").unwrap();
    let missing_file = tempfile::tempdir().unwrap();
    drop(built(missing_file.path()));
    fs::remove_file(file_of(missing_file.path(), "fast")).unwrap();
    for folder in [&broken_meta, &broken_byte, &cut_short, &missing_file] {
        let error = Index::open(folder.path()).unwrap_err();
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    }
}

#[test]
fn a_missing_folder_is_not_damage() {
    let folder = tempfile::tempdir().unwrap();
    let error = Index::open(&folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(error, OpenError::Folder(_)) && !error.needs_rebuild());
}

#[test]
fn documents_of_any_size_are_accepted() {
    let index = Index::in_memory().unwrap();
    let mut writer = index.writer().unwrap();
    let mut document = documents()[0].clone();
    document.title.zh = Some("长".repeat(100_000));
    document.title.en = Some("x".repeat(100_000));
    document.description.zh = Some("机械 keyboard ".repeat(20_000));
    document.brand = "牌".repeat(50_000);
    document.category = "类/".repeat(5_000);
    document.skus = vec!["s".repeat(100_000); 3];
    document.popularity = f64::NAN;
    writer.apply(&[Change::Upsert(Box::new(document))], "1").unwrap();
    assert_eq!(index.search(&Query::default()).unwrap().total, 1);
    assert_eq!(search(&index, "机械").total, 1);
}

fn built(folder: &Path) -> Index {
    let index = Index::open(folder).unwrap();
    let mut writer = index.writer().unwrap();
    writer.apply(&all(), "1").unwrap();
    writer.close().unwrap();
    index
}

fn file_of(folder: &Path, kind: &str) -> std::path::PathBuf {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == kind))
        .collect();
    files.sort();
    files.pop().unwrap()
}
