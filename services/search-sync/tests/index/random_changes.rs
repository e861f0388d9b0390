//! Random schedules of changes, replays, crashes and rebuilds against a naive model.
//!
//! The index copies a projection, as the service does: it reads the documents after its checkpoint, and commits them
//! with the new checkpoint. After a crash it continues where its files are.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    thread,
};

use proptest::{collection::vec, prelude::*};
use search_sync::index::{Change, Document, Index, Writer};
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    model::{Content, Model, content},
    products::id,
};

const PRODUCTS: u128 = 24;
const SCHEDULES: u32 = 16;
/// The lock of the writer of an index.
const LOCK: &str = ".tantivy-writer.lock";

/// An event of another service. The newest version of each subject counts, in whatever order they arrive.
#[derive(Debug, Clone)]
enum Event {
    /// Without content the product is deleted.
    Product {
        number: u128,
        version: i64,
        content: Option<Content>,
    },
    Stock {
        number: u128,
        variant: usize,
        version: i64,
        available: bool,
    },
    Popularity {
        number: u128,
        version: i64,
        score: f64,
    },
}

#[derive(Debug, Clone)]
enum News {
    Content(Content),
    Deleted,
    Stock(usize, bool),
    Popularity(u16),
}

#[derive(Debug, Clone)]
enum Step {
    /// A new event of a product. A late one arrives when it is replayed, or at the end.
    News {
        number: u128,
        news: News,
        late: bool,
    },
    /// Delivers one of the events again, old or new.
    Replay(prop::sample::Index),
    /// Copies this many documents to the index.
    Commit(usize),
    /// The process is killed and started again.
    Crash,
    /// The process is killed in a commit that has created so many files, or after it.
    CrashInCommit(usize),
    /// Begins a new index, unless one is being built; copies this many documents to it.
    Rebuild(usize),
    /// Puts the new index in use.
    Switch,
    Compare,
}

fn step() -> impl Strategy<Value = Step> {
    let news = prop_oneof![
        5 => content().prop_map(News::Content),
        2 => Just(News::Deleted),
        4 => (0..2_usize, any::<bool>()).prop_map(|(variant, available)| News::Stock(variant, available)),
        2 => (0..2_000_u16).prop_map(News::Popularity),
    ];
    let news = (0..PRODUCTS, news, prop::bool::weighted(0.2));
    prop_oneof![
        24 => news.prop_map(|(number, news, late)| Step::News { number, news, late }),
        8 => any::<prop::sample::Index>().prop_map(Step::Replay),
        8 => (1..12_usize).prop_map(Step::Commit),
        1 => Just(Step::Crash),
        2 => (0..24_usize).prop_map(Step::CrashInCommit),
        3 => (1..12_usize).prop_map(Step::Rebuild),
        1 => Just(Step::Switch),
        1 => Just(Step::Compare),
    ]
}

/// The durable copy of the events, like the tables of the service.
#[derive(Debug, Default)]
struct Projection {
    products: BTreeMap<u128, (i64, Option<Content>)>,
    stock: BTreeMap<(u128, usize), (i64, bool)>,
    popularity: BTreeMap<u128, (i64, f64)>,
    /// The products by the number of their last change.
    changes: BTreeMap<i64, u128>,
    last_change: i64,
}

impl Projection {
    fn deliver(&mut self, event: &Event) {
        let (number, is_newer) = match event {
            Event::Product { number, version, content } => {
                let newer = newer(&mut self.products, *number, *version, content.clone());
                (*number, newer)
            }
            Event::Stock { number, variant, version, available } => {
                (*number, newer(&mut self.stock, (*number, *variant), *version, *available))
            }
            Event::Popularity { number, version, score } => {
                (*number, newer(&mut self.popularity, *number, *version, *score))
            }
        };
        if is_newer && self.products.contains_key(&number) {
            self.changes.retain(|_, other| *other != number);
            self.last_change += 1;
            self.changes.insert(self.last_change, number);
        }
    }

    /// The next changes of an index, with the number of the last of them.
    fn changed_after(&self, checkpoint: i64, limit: usize) -> Option<(i64, Vec<Change>)> {
        let next: Vec<_> = self.changes.range(checkpoint + 1..).take(limit).collect();
        let (through, _) = next.last()?;
        let changes = next.iter().map(|(_, number)| match self.document(**number) {
            Some(document) => Change::Upsert(Box::new(document)),
            None => Change::Delete(id(**number)),
        });
        Some((**through, changes.collect()))
    }

    fn document(&self, number: u128) -> Option<Document> {
        let (version, content) = self.products.get(&number)?;
        let is_available =
            |place: &usize| self.stock.get(&(number, *place)).is_some_and(|one| one.1);
        let available: BTreeSet<usize> = (0..2).filter(is_available).collect();
        let score = self.popularity.get(&number).map_or(0.0, |one| one.1);
        Some(content.as_ref()?.document(id(number), *version, &available, score))
    }
}

/// Keeps the newest version of a subject; returns whether this is it.
fn newer<K: Ord, V>(known: &mut BTreeMap<K, (i64, V)>, key: K, version: i64, value: V) -> bool {
    let is_newer = known.get(&key).is_none_or(|(held, _)| *held < version);
    if is_newer {
        known.insert(key, (version, value));
    }
    is_newer
}

/// The products of an index with their versions.
type Versions = BTreeMap<Uuid, i64>;

/// No product is lost, none is there twice, and each has the expected version.
fn assert_versions(index: &Index, expected: &Versions) {
    let expected: Vec<(Uuid, i64)> = expected.iter().map(|(id, version)| (*id, *version)).collect();
    assert_eq!(index.versions().unwrap(), expected);
}

/// An index on disk with what it should contain.
struct Copied {
    folder: TempDir,
    index: Index,
    writer: Writer,
    /// The number of the last change, which every commit stores.
    checkpoint: i64,
    versions: Versions,
}

impl Copied {
    /// Opens the index in a folder. `states` are what it may contain, by checkpoint.
    fn open(folder: TempDir, states: &[(i64, Versions)]) -> Self {
        let index = Index::open(folder.path()).unwrap();
        let checkpoint = index.payload().unwrap().map_or(0, |number| number.parse().unwrap());
        let (_, versions) = states.iter().find(|(number, _)| *number == checkpoint).unwrap();
        let versions = versions.clone();
        assert_versions(&index, &versions);
        let writer = index.writer().unwrap();
        Self { folder, index, writer, checkpoint, versions }
    }

    fn create() -> Self {
        Self::open(folder(), &[(0, Versions::new())])
    }

    fn state(&self) -> (i64, Versions) {
        (self.checkpoint, self.versions.clone())
    }

    /// The checkpoint and the versions after these changes.
    fn after(&self, through: i64, changes: &[Change]) -> (i64, Versions) {
        let mut versions = self.versions.clone();
        for change in changes {
            match change {
                Change::Upsert(one) => versions.insert(one.product_id, one.version),
                Change::Delete(product_id) => versions.remove(product_id),
            };
        }
        (through, versions)
    }

    /// Commits the next changes; returns whether there were any.
    fn commit(&mut self, projection: &Projection, limit: usize) -> bool {
        let Some((through, changes)) = projection.changed_after(self.checkpoint, limit) else {
            return false;
        };
        self.writer.apply(&changes, &through.to_string()).unwrap();
        (self.checkpoint, self.versions) = self.after(through, &changes);
        assert_versions(&self.index, &self.versions);
        true
    }

    fn catch_up(&mut self, projection: &Projection) {
        while self.commit(projection, 7) {}
    }

    /// Drops everything, and opens the files again.
    fn crash(self) -> Self {
        let state = self.state();
        let Self { folder, index, writer, .. } = self;
        drop((writer, index));
        Self::open(folder, &[state])
    }

    /// Continues with the files as they were during a commit.
    fn crash_in_commit(mut self, projection: &Projection, files: usize) -> Self {
        let Some((through, changes)) = projection.changed_after(self.checkpoint, 10) else {
            return self.crash();
        };
        let states = [self.state(), self.after(through, &changes)];
        let (writer, folder) = (&mut self.writer, self.folder.path());
        let files = files_in(folder) + files;
        let copied = thread::scope(|scope| {
            let writing = scope.spawn(move || writer.apply(&changes, &through.to_string()));
            while !writing.is_finished() && files_in(folder) < files {
                thread::yield_now();
            }
            let copied = files_at_one_moment(folder);
            writing.join().unwrap().unwrap();
            copied
        });
        Self::open(copied, &states)
    }
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// A folder in memory, where there is one: the schedules commit often.
fn folder() -> TempDir {
    TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap()
}

/// The files of an index, as a kill would leave them. A file is never changed after it is written, so that a link is
/// as good as a copy. If the list of the valid files was replaced meanwhile, the files are not those of one moment.
pub fn files_at_one_moment(from: &Path) -> TempDir {
    let parent = from.parent().unwrap();
    let listed = || fs::read(from.join("meta.json")).unwrap();
    loop {
        let before = listed();
        let to = TempDir::new_in(parent).unwrap();
        let files = fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> = files.filter(|path| !path.ends_with(LOCK)).collect();
        // A file is registered before it is created.
        files.sort_by_key(|path| path.ends_with(".managed.json"));
        for path in files {
            let linked = fs::hard_link(&path, to.path().join(path.file_name().unwrap()));
            let is_gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
            assert!(linked.as_ref().err().is_none_or(is_gone), "{linked:?}");
        }
        if fs::read(to.path().join("meta.json")).unwrap() == before && listed() == before {
            return to;
        }
    }
}

/// A shop while its schedule runs.
struct Shop {
    events: Vec<Event>,
    versions: BTreeMap<(u128, &'static str), i64>,
    projection: Projection,
    live: Option<Copied>,
    replacement: Option<Copied>,
}

impl Shop {
    fn new() -> Self {
        Self {
            events: Vec::new(),
            versions: BTreeMap::new(),
            projection: Projection::default(),
            live: Some(Copied::create()),
            replacement: None,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::News { number, news, late } => {
                let event = self.event(*number, news);
                if !late {
                    self.projection.deliver(&event);
                }
                self.events.push(event);
            }
            Step::Replay(place) if !self.events.is_empty() => {
                self.projection.deliver(place.get(&self.events));
            }
            Step::Replay(_) => {}
            Step::Commit(limit) => {
                self.live.as_mut().unwrap().commit(&self.projection, *limit);
            }
            Step::Crash => {
                self.replacement = None;
                self.live = self.live.take().map(Copied::crash);
            }
            Step::CrashInCommit(files) => {
                self.replacement = None;
                let live = self.live.take();
                self.live = live.map(|live| live.crash_in_commit(&self.projection, *files));
            }
            Step::Rebuild(limit) => {
                let replacement = self.replacement.get_or_insert_with(Copied::create);
                replacement.commit(&self.projection, *limit);
            }
            Step::Switch => {
                if let Some(mut replacement) = self.replacement.take() {
                    replacement.catch_up(&self.projection);
                    replacement.writer = replacement.writer.compact().unwrap();
                    self.live = Some(replacement);
                }
            }
            Step::Compare => self.compare(self.events.len(), 5),
        }
    }

    fn event(&mut self, number: u128, news: &News) -> Event {
        let subject = match news {
            News::Content(_) | News::Deleted => "product",
            News::Stock(0, _) => "first",
            News::Stock(..) => "second",
            News::Popularity(_) => "popularity",
        };
        let version = self.versions.entry((number, subject)).or_default();
        *version += 1;
        let version = *version;
        match news {
            News::Content(content) => {
                Event::Product { number, version, content: Some(content.clone()) }
            }
            News::Deleted => Event::Product { number, version, content: None },
            News::Stock(variant, available) => {
                Event::Stock { number, variant: *variant, version, available: *available }
            }
            News::Popularity(score) => {
                Event::Popularity { number, version, score: f64::from(*score) }
            }
        }
    }

    /// Compares the index with the delivered events, on a part of the searches.
    fn compare(&mut self, first: usize, divisor: usize) {
        let mut live = self.live.take().unwrap();
        live.catch_up(&self.projection);
        let documents = (0..PRODUCTS).filter_map(|number| self.projection.document(number));
        documents.collect::<Model>().assert_equals(&live.index, first, divisor);
        self.live = Some(live);
    }

    /// Delivers what is late, and compares the index with all events.
    fn finish(mut self) {
        for event in self.events.iter().rev() {
            self.projection.deliver(event);
        }
        // The newest event of a subject was published last.
        let mut last = Projection::default();
        for event in &self.events {
            last.deliver(event);
        }
        assert_eq!(self.projection.products, last.products);
        assert_eq!(self.projection.stock, last.stock);
        self.compare(self.events.len(), 5);
        self.live = self.live.map(Copied::crash);
        self.compare(0, 1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: SCHEDULES,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_schedules_leave_what_the_model_expects(
        first in vec(content(), 0..24),
        steps in vec(step(), 20..90),
    ) {
        let mut shop = Shop::new();
        for (number, content) in (0..).zip(first) {
            shop.run(&Step::News { number, news: News::Content(content), late: false });
        }
        for step in &steps {
            shop.run(step);
        }
        shop.finish();
    }
}
