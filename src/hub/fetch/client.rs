//! The hub's protocol, as far as it is needed: what a revision holds, where a file is, its bytes from some point on.

use super::Place;
use crate::settings::{Error, Result};
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};
use ureq::{Agent, config::RedirectAuthHeaders, http::Response};

/// Longest answer that lists files.
const LISTING: u64 = 64 << 20;
/// Attempts at a download that breaks off.
const ATTEMPTS: usize = 5;

/// Who asks.
pub struct Client {
    agent: Agent,
    /// One that stays where it is asked to go on elsewhere.
    still: Agent,
    endpoint: String,
    token: Option<String>,
}

/// What a revision is.
pub struct Listing {
    /// Its commit.
    pub commit: String,
    /// Its files.
    pub files: Vec<String>,
}

/// A file on a hub.
#[derive(Debug)]
pub struct Found {
    /// Its address.
    pub address: String,
    /// Its checksum: SHA-256, or SHA-1 of Git.
    pub etag: String,
    /// Its bytes.
    pub size: u64,
}

impl Client {
    pub fn new(place: &Place) -> Self {
        let config = || {
            Agent::config_builder()
                .timeout_connect(Some(Duration::from_secs(20)))
                .timeout_recv_response(Some(Duration::from_secs(60)))
                .http_status_as_error(false)
                // Where large files are stored is somebody else's: who one is, is not told there.
                .redirect_auth_headers(RedirectAuthHeaders::SameHost)
                .user_agent(concat!("ablate/", env!("CARGO_PKG_VERSION")))
        };
        let still = config().max_redirects(0).max_redirects_will_error(false).build();
        Self { agent: config().build().into(), still: still.into(), endpoint: place.endpoint.clone(), token: place.token.clone() }
    }

    /// What a revision of a model holds.
    pub fn listing(&self, model: &str, revision: &str) -> Result<Listing> {
        let address = format!("{}/api/models/{model}/revision/{}", self.endpoint, escaped(revision));
        let mut response = self.get(&address, 0)?;
        let text = response.body_mut().with_config().limit(LISTING).read_to_string().map_err(|error| unreachable(&address, &error))?;
        let wrong = || Error::input(&address, "answers what no hub answers", "check HF_ENDPOINT");
        let value: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
        let commit = value["sha"].as_str().filter(|sha| !sha.is_empty() && sha.chars().all(|c| c.is_ascii_hexdigit())).ok_or_else(wrong)?;
        let siblings = value["siblings"].as_array().ok_or_else(wrong)?;
        let files = siblings.iter().filter_map(|it| it["rfilename"].as_str().map(str::to_string)).collect();
        Ok(Listing { commit: commit.to_string(), files })
    }

    /// Where a file of a commit is, and what it must be.
    pub fn find(&self, model: &str, commit: &str, name: &str) -> Result<Found> {
        let address = format!("{}/{model}/resolve/{commit}/{}", self.endpoint, escaped(name));
        // The checksum of large files is told before the way leads to where they are stored.
        let response = self.sent(&address, self.signed(self.still.head(&address)).call())?;
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let etag = text("x-linked-etag").or_else(|| text("etag")).map(|etag| etag.trim_start_matches("W/").trim_matches('"').to_string());
        let size = text("x-linked-size").or_else(|| text("content-length")).and_then(|size| size.parse().ok());
        // A checksum becomes the name of a file.
        let plain = |etag: &String| !etag.is_empty() && etag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        match (etag.filter(plain), size) {
            (Some(etag), Some(size)) => Ok(Found { address, etag, size }),
            _ => Err(Error::input(&address, "comes without checksum and length", "check HF_ENDPOINT")),
        }
    }

    /// Brings what is missing of a file, in several attempts if it breaks off.
    pub fn bring(&self, found: &Found, path: &Path, done: &dyn Fn(u64)) -> Result<()> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
        }
        let mut left = ATTEMPTS;
        loop {
            let here = fs::metadata(path).map_or(0, |data| data.len());
            if here > found.size {
                fs::remove_file(path).map_err(Error::io("remove", path))?;
                continue;
            }
            done(here);
            if here == found.size && path.exists() {
                return Ok(());
            }
            left -= 1;
            match self.some(found, path, here, done) {
                Ok(()) if fs::metadata(path).is_ok_and(|data| data.len() >= found.size) => return Ok(()),
                Err(Broken::Here(error)) => return Err(Error::io("write", path)(error)),
                Err(Broken::There(error)) if left == 0 => return Err(error),
                Ok(()) if left == 0 => {
                    return Err(Error::input(&found.address, "breaks off again and again", "fetch again: it goes on where it ended"));
                }
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
    }

    /// One attempt, from byte `here` on.
    fn some(&self, found: &Found, path: &Path, here: u64, done: &dyn Fn(u64)) -> Result<(), Broken> {
        let mut response = self.get(&found.address, here).map_err(Broken::There)?;
        // Who does not know ranges sends everything.
        let goes_on = response.status() == 206;
        let mut file = File::options().create(true).append(goes_on).write(true).truncate(!goes_on).open(path).map_err(Broken::Here)?;
        let mut at = if goes_on { here } else { 0 };
        let mut body = response.body_mut().with_config().limit(found.size + 1).reader();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => return file.sync_all().map_err(Broken::Here),
                Ok(read) => {
                    file.write_all(&buffer[..read]).map_err(Broken::Here)?;
                    at += read as u64;
                    done(at.min(found.size));
                }
                Err(error) => return Err(Broken::There(unreachable(&found.address, &error))),
            }
        }
    }

    fn get(&self, address: &str, from: u64) -> Result<Response<ureq::Body>> {
        let mut request = self.signed(self.agent.get(address));
        if from > 0 {
            request = request.header("range", format!("bytes={from}-"));
        }
        self.sent(address, request.call())
    }

    fn signed<Any>(&self, request: ureq::RequestBuilder<Any>) -> ureq::RequestBuilder<Any> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    fn sent(&self, address: &str, response: std::result::Result<Response<ureq::Body>, ureq::Error>) -> Result<Response<ureq::Body>> {
        let response = response.map_err(|error| unreachable(address, &error))?;
        let help = match response.status().as_u16() {
            200..=399 => return Ok(response),
            401 | 403 => "accept the model's terms on its page, and set HF_TOKEN",
            404 => "check the name and the revision",
            429 => "wait, and set HF_TOKEN",
            _ => "try again later",
        };
        Err(Error::input(address, format!("answers {}", response.status()), help))
    }
}

/// Why an attempt ended.
enum Broken {
    Here(io::Error),
    There(Error),
}

fn unreachable(address: &str, error: &dyn std::fmt::Display) -> Error {
    Error::input(
        address,
        format!("cannot be reached: {error}"),
        "check the network, HF_ENDPOINT and proxies; HF_HUB_OFFLINE=1 takes what is in the cache",
    )
}

/// A part of an address.
fn escaped(part: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
