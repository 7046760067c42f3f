//! Fetching from a hub of this machine's own, which speaks the protocol: listing, checksums in headers, a way to where
//! files are stored, names that models had before, ranges; and which breaks off, lies, or wants a token if it is told to.

use ablate::hub::{Place, fetch};
use sha2::{Digest, Sha256};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How a hub behaves.
#[derive(Default)]
struct Manner {
    /// Bytes after which an answer with a file ends; everything at once if none.
    breaks_off: Option<usize>,
    /// It names checksums of other files.
    lies: bool,
    /// What it wants to be told.
    token: Option<&'static str>,
    /// It knows no ranges.
    from_the_start: bool,
    /// Address of who stores large files; itself if none.
    stored: Option<String>,
}

/// What somebody wanted.
struct Asked {
    /// Method, path and protocol.
    request: String,
    /// The byte from which on.
    from: Option<usize>,
    /// Who it says it is.
    authorization: Option<String>,
}

/// A hub with one model.
struct Hub {
    address: String,
    /// What was asked for, in order.
    asked: Arc<Mutex<Vec<Asked>>>,
    bytes: Arc<AtomicUsize>,
    cache: tempfile::TempDir,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn weights() -> Vec<u8> {
    (0..300_000u32).map(|i| (i * i % 251) as u8).collect()
}

fn config() -> &'static str {
    "{\"model_type\": \"llama\"}\n"
}

impl Hub {
    fn new(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (asked, bytes) = (Arc::new(Mutex::new(vec![])), Arc::new(AtomicUsize::new(0)));
        let hub = Self { address, asked: asked.clone(), bytes: bytes.clone(), cache: tempfile::tempdir().unwrap() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = answer(stream, &manner, &asked, &bytes);
            }
        });
        hub
    }

    fn place(&self) -> Place {
        Place { endpoint: self.address.clone(), cache: self.cache.path().to_path_buf(), token: None, offline: false }
    }

    fn fetch(&self) -> ablate::Result<std::path::PathBuf> {
        fetch("me/tiny", "main", &self.place(), &|_, _, _| {})
    }

    fn root(&self) -> std::path::PathBuf {
        self.cache.path().join("models--me--tiny")
    }
}

fn answer(stream: TcpStream, manner: &Manner, asked: &Mutex<Vec<Asked>>, count: &AtomicUsize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    let mut lines = vec![];
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line == "\r\n" {
            break;
        }
        lines.push(line.trim().to_string());
    }
    let Some(request) = lines.first().cloned() else { return Ok(()) };
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| line.split_once(": ").filter(|it| it.0.eq_ignore_ascii_case(name)));
        found.map(|it| it.1.to_string())
    };
    let range = header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let authorization = header("authorization");
    asked.lock().unwrap().push(Asked { request: request.clone(), from: range, authorization: authorization.clone() });
    let mut parts = request.split(' ');
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if let Some(token) = manner.token
        && authorization != Some(format!("Bearer {token}"))
    {
        return out.write_all(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    // What the model was called before.
    if path.contains("me/old/") {
        let now = path.replace("me/old/", "me/tiny/");
        return write!(out, "HTTP/1.1 307 Temporary Redirect\r\nlocation: {now}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
    if path == "/api/models/me/tiny/revision/main" {
        let files = ["config.json", "model.safetensors", "pytorch_model.bin", "../evil.safetensors"]
            .map(|name| format!("{{\"rfilename\": {name:?}}}"));
        let body = format!("{{\"sha\": \"{COMMIT}\", \"siblings\": [{}]}}", files.join(","));
        return write!(out, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    }
    let (content, stored) = match path.rsplit('/').next().unwrap_or_default() {
        "config.json" => (config().as_bytes().to_vec(), false),
        "model.safetensors" => (weights(), true),
        _ => return out.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
    };
    let wrong = if manner.lies { &b"other"[..] } else { &content };
    let etag = if stored {
        hex(&Sha256::digest(wrong))
    } else {
        let mut hash = sha1::Sha1::new();
        sha1::Digest::update(&mut hash, format!("blob {}\0", wrong.len()));
        sha1::Digest::update(&mut hash, wrong);
        hex(&sha1::Digest::finalize(hash))
    };
    if stored && path.contains("/resolve/") {
        let (length, stored) = (content.len(), manner.stored.as_deref().unwrap_or_default());
        return write!(
            out,
            "HTTP/1.1 302 Found\r\nlocation: {stored}/stored/model.safetensors\r\nx-linked-etag: \"{etag}\"\r\nx-linked-size: {length}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
    }
    let from = range.filter(|_| !manner.from_the_start).unwrap_or(0);
    let rest = &content[from.min(content.len())..];
    let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
    write!(out, "HTTP/1.1 {status}\r\netag: \"{etag}\"\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len())?;
    if method == "HEAD" {
        return Ok(());
    }
    let sent = &rest[..manner.breaks_off.unwrap_or(usize::MAX).min(rest.len())];
    count.fetch_add(sent.len(), Ordering::Relaxed);
    out.write_all(sent)
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn a_model_comes_into_the_standard_cache_once() {
    let hub = Hub::new(Manner::default());
    let folder = hub.fetch().unwrap();
    assert_eq!(folder, hub.root().join("snapshots").join(COMMIT));
    assert_eq!((read(&folder, "model.safetensors"), read(&folder, "config.json")), (weights(), config().as_bytes().to_vec()));
    assert_eq!(fs::read_to_string(hub.root().join("refs/main")).unwrap(), COMMIT);
    let blob = hub.root().join("blobs").join(hex(&Sha256::digest(weights())));
    assert_eq!(fs::canonicalize(folder.join("model.safetensors")).unwrap(), fs::canonicalize(blob).unwrap());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "pickles and names that lead elsewhere are left");

    let before = hub.bytes.load(Ordering::Relaxed);
    assert_eq!(hub.fetch().unwrap(), folder);
    assert_eq!(hub.bytes.load(Ordering::Relaxed), before, "nothing comes twice");
    let offline = Place { endpoint: "http://127.0.0.1:1".into(), offline: true, ..hub.place() };
    assert_eq!(fetch("me/tiny", "main", &offline, &|_, _, _| {}).unwrap(), folder);
    assert_eq!(fetch("me/tiny", COMMIT, &offline, &|_, _, _| {}).unwrap(), folder);
    let error = fetch("me/other", "main", &offline, &|_, _, _| {}).unwrap_err().to_string();
    assert!(error.contains("is not in") && error.contains("HF_HUB_OFFLINE"), "{error}");
}

#[test]
fn what_breaks_off_goes_on_where_it_ended() {
    let hub = Hub::new(Manner { breaks_off: Some(90_000), ..Manner::default() });
    let folder = hub.fetch().unwrap();
    assert_eq!(read(&folder, "model.safetensors"), weights());
    let asked = hub.asked.lock().unwrap();
    let starts: Vec<Option<usize>> =
        asked.iter().filter(|asked| asked.request.starts_with("GET /stored")).map(|asked| asked.from).collect();
    assert_eq!(starts, [None, Some(90_000), Some(180_000), Some(270_000)]);
    assert_eq!(hub.bytes.load(Ordering::Relaxed), weights().len() + config().len());

    // What an earlier command left is gone on with, too; and a hub that always starts anew is put up with.
    for from_the_start in [false, true] {
        let hub = Hub::new(Manner { from_the_start, ..Manner::default() });
        let blobs = hub.root().join("blobs");
        fs::create_dir_all(&blobs).unwrap();
        let part = blobs.join(format!("{}.incomplete", hex(&Sha256::digest(weights()))));
        fs::write(&part, &weights()[..200_000]).unwrap();
        assert_eq!(read(&hub.fetch().unwrap(), "model.safetensors"), weights());
        let expected = if from_the_start { weights().len() } else { 100_000 };
        assert_eq!(hub.bytes.load(Ordering::Relaxed), expected + config().len());
        assert!(!part.exists());
    }
}

#[test]
fn what_is_not_what_it_should_be_is_refused_and_removed() {
    let hub = Hub::new(Manner { lies: true, ..Manner::default() });
    let error = hub.fetch().unwrap_err().to_string();
    assert!(error.contains("its checksum is"), "{error}");
    assert!(fs::read_dir(hub.root().join("blobs")).unwrap().next().is_none());

    // What an interrupted command left, and was altered since.
    let hub = Hub::new(Manner::default());
    let blobs = hub.root().join("blobs");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(format!("{}.incomplete", hex(&Sha256::digest(weights())))), vec![7; 1000]).unwrap();
    assert!(hub.fetch().unwrap_err().to_string().contains("its checksum is"));
    assert_eq!(read(&hub.fetch().unwrap(), "model.safetensors"), weights(), "the next attempt starts anew");
}

#[test]
fn what_a_hub_wants_or_lacks_is_said() {
    let hub = Hub::new(Manner { token: Some("secret"), ..Manner::default() });
    let error = hub.fetch().unwrap_err().to_string();
    assert!(error.contains("401") && error.contains("HF_TOKEN"), "{error}");
    let place = Place { token: Some("secret".into()), ..hub.place() };
    assert!(fetch("me/tiny", "main", &place, &|_, _, _| {}).is_ok());

    let hub = Hub::new(Manner::default());
    let error = fetch("me/other", "main", &hub.place(), &|_, _, _| {}).unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("check the name"), "{error}");
    let gone = Place { endpoint: "http://127.0.0.1:1".into(), ..hub.place() };
    let error = fetch("me/tiny", "main", &gone, &|_, _, _| {}).unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
}

/// The hub leads from a model's former name to the one of today, for files without a checksum on the way, too.
#[test]
fn a_model_is_found_by_the_name_it_had() {
    let hub = Hub::new(Manner { token: Some("secret"), ..Manner::default() });
    let place = Place { token: Some("secret".into()), ..hub.place() };
    let folder = fetch("me/old", "main", &place, &|_, _, _| {}).unwrap();
    assert_eq!(folder, hub.cache.path().join("models--me--old/snapshots").join(COMMIT));
    assert_eq!((read(&folder, "model.safetensors"), read(&folder, "config.json")), (weights(), config().as_bytes().to_vec()));
    assert_eq!(ablate::hub::model_name(&folder).as_deref(), Some("old"));
    assert_eq!(ablate::hub::model_name(hub.cache.path().join("x").as_path()).as_deref(), Some("x"));
}

/// Where files are stored is not the hub, be it the next port: it is not told who one is.
#[test]
fn the_token_stays_with_the_hub() {
    let store = Hub::new(Manner::default());
    for address in [store.address.clone(), store.address.replace("127.0.0.1", "localhost")] {
        let hub = Hub::new(Manner { token: Some("secret"), stored: Some(address), ..Manner::default() });
        let place = Place { token: Some("secret".into()), ..hub.place() };
        assert_eq!(read(&fetch("me/tiny", "main", &place, &|_, _, _| {}).unwrap(), "model.safetensors"), weights());
        assert!(hub.asked.lock().unwrap().iter().all(|asked| asked.authorization.as_deref() == Some("Bearer secret")));
    }
    let asked = store.asked.lock().unwrap();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|asked| asked.request.starts_with("GET /stored/") && asked.authorization.is_none()));
}

/// The verb, as people type it.
#[test]
fn the_program_fetches_and_prints_the_folder() {
    let hub = Hub::new(Manner { token: Some("secret"), ..Manner::default() });
    let ablate = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = assert_cmd::Command::cargo_bin("ablate").unwrap();
        for name in
            ["HF_HOME", "XDG_CACHE_HOME", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
        {
            command.env_remove(name);
        }
        command.env("HF_ENDPOINT", &hub.address).env("HF_HUB_CACHE", hub.cache.path()).env("HOME", hub.cache.path());
        let output = command.envs(variables.iter().copied()).arg("fetch").args(arguments).output().unwrap();
        let [out, error] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (output.status.code(), out, error)
    };
    let (code, out, error) = ablate(&["me/tiny"], &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{error}");
    assert!(error.contains("401") && error.contains("HF_TOKEN"), "{error}");
    let folder = hub.root().join("snapshots").join(COMMIT);
    for (arguments, variables) in [
        (&["me/tiny"][..], &[("HF_TOKEN", "secret")][..]),
        (&["me/tiny", "--revision", "main"], &[("HF_HUB_OFFLINE", "1")]),
        (&["me/tiny", "--revision", COMMIT], &[("HF_HUB_OFFLINE", "1")]),
    ] {
        let (code, out, error) = ablate(arguments, variables);
        assert_eq!((code, out), (Some(0), format!("{}\n", folder.display())), "{error}");
    }
    assert_eq!(read(&folder, "model.safetensors"), weights());
    let (code, _, error) = ablate(&["me/other"], &[("HF_HUB_OFFLINE", "1")]);
    assert!(code == Some(2) && error.contains("is not in") && error.contains("HF_HUB_OFFLINE"), "{error}");
    let (code, _, error) = ablate(&["../me"], &[]);
    assert!(code == Some(2) && error.contains("owner/name"), "{error}");
}
