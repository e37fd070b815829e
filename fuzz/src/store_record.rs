//! Whatever stands in a store is read without a panic, and with a key nothing is believed that wasn't sealed with it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use tokio::runtime::Runtime;
use wxgate::config::Config;
use wxgate::observe::clock::Timestamp;
use wxgate::secret::Secret;
use wxgate::store::{Record, Store};

const KEY: &str = "access_token:stable:wx0000000000000001";
const SEALED: &str = "the-token-that-was-sealed";

struct Place {
    runtime: Runtime,
    clear: (Store, PathBuf),
    sealed: (Store, PathBuf),
    /// Its own record.
    good: Vec<u8>,
    _folder: tempfile::TempDir,
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let [clear, sealed] =
        ["clear", "sealed"].map(|name| open(&runtime, &folder.path().join(name), name == "sealed"));
    let good = std::fs::read(&sealed.1).expect("an entry");
    let good = good.splitn(2, |byte| *byte == b'\n').nth(1).expect("a record").to_vec();
    Place { runtime, clear, sealed, good, _folder: folder }
});

/// A store, and the file in which it keeps its one record.
fn open(runtime: &Runtime, folder: &Path, sealed: bool) -> (Store, PathBuf) {
    let key = if sealed { "seal_key = { env = 'K' }" } else { "" };
    let text = format!(
        "[store]\nurl = 'file:{}'\n{key}\n[[app]]\nname = 'a'\nappid = 'wx0000000000000001'\nsecret = {{ env = 'K' }}\n",
        folder.display()
    );
    let seal_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let config = Config::parse(&text, "fuzz.toml", &|_| Some(seal_key.to_owned())).expect("a configuration");
    let fetched_at = Timestamp(1_700_000_000_000);
    let expires_at = Timestamp(1_700_007_200_000);
    let record = Record { value: Arc::new(Secret::new(SEALED)), generation: 7, fetched_at, expires_at };
    let store = runtime.block_on(async {
        let store = Store::open(&config.store).await.expect("a store");
        store.save(KEY, &record).await.expect("saved");
        store
    });
    let file = entry(folder).expect("the file of the record");
    (store, file)
}

fn entry(folder: &Path) -> Option<PathBuf> {
    for file in std::fs::read_dir(folder).ok()?.flatten().map(|file| file.path()) {
        if file.is_dir() {
            if let Some(found) = entry(&file) {
                return Some(found);
            }
        } else if std::fs::read(&file)
            .is_ok_and(|bytes| memchr::memmem::find(&bytes, b"generation").is_some())
        {
            return Some(file);
        }
    }
    None
}

/// As whoever writes to the folder can: with a digest that is right.
fn plant(file: &Path, value: &[u8]) {
    let times = "1700000000000 -";
    let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
    digest.update(times.as_bytes());
    digest.update(b"\n");
    digest.update(value);
    let digest: String = digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let bytes = [format!("wxgate-store 1 {digest} {times}\n").as_bytes(), value].concat();
    std::fs::write(file, bytes).expect("written");
}

pub fn run(bytes: &[u8]) {
    let place = &*PLACE;
    let Place { runtime, clear, sealed, good, .. } = place;
    plant(&clear.1, bytes);
    let loaded = runtime.block_on(clear.0.load(KEY));
    if let Ok(Some(record)) = loaded {
        assert!(!record.value.expose().is_empty());
    }
    plant(&sealed.1, bytes);
    if let Ok(Some(record)) = runtime.block_on(sealed.0.load(KEY)) {
        assert_eq!((record.value.expose(), record.generation), (SEALED, 7));
    }
    // A byte of its own record, in another place or of another value.
    if let [at, by, ..] = bytes {
        let mut changed = good.clone();
        let at = usize::from(*at) * changed.len() / 256;
        changed[at] ^= by;
        plant(&sealed.1, &changed);
        if let Ok(Some(record)) = runtime.block_on(sealed.0.load(KEY)) {
            assert_eq!((record.value.expose(), record.generation), (SEALED, 7));
        }
    }
}
