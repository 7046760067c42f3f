//! Ranks that are processes, on one machine or on several.
//!
//! The first rank listens where all know it to be; the others tell it where they listen, and are told where all do. Then each
//! connects to those before it. What follows a greeting is frames: a length of eight bytes, the kind of message, its bytes.

use super::mesh::{Channel, Lost, Mesh, Message, Post};
use sha2::{Digest, Sha256};
use std::{
    env, fmt,
    io::{self, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

/// Where a process stands among those that were started together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Its number, from 0.
    pub rank: usize,
    /// How many there are.
    pub size: usize,
    /// Its number among those on its machine, from 0: the index of its GPU.
    pub local: usize,
    /// Where the first one listens: host and port.
    pub first: (String, u16),
    /// What tells this start from others on the same machines.
    pub token: u64,
}

/// Below the ports that systems hand out by themselves; steps of SLURM's jobs on one machine get different ones.
const PORTS: std::ops::Range<u16> = 29_500..32_500;

impl Placement {
    /// What `torchrun` and the like (`RANK`, `WORLD_SIZE`, `LOCAL_RANK`, `MASTER_ADDR`, `MASTER_PORT`) or SLURM's `srun`
    /// (`SLURM_PROCID`, `SLURM_NTASKS`, `SLURM_LOCALID`, `SLURM_STEP_NODELIST`, `SLURM_JOB_ID`) say; the former win.
    ///
    /// # Errors
    ///
    /// What is missing or is no number.
    pub fn from_env() -> Result<Self, String> {
        Self::read(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let number = |name: &str| match get(name) {
            None => Ok(None),
            Some(text) => text.parse::<usize>().map(Some).map_err(|_| format!("{name}={text} is no number")),
        };
        let either = |first: &str, second: &str| {
            Ok::<_, String>(match number(first)? {
                Some(value) => Some(value),
                None => number(second)?,
            })
        };
        let missing = || "RANK and WORLD_SIZE, or SLURM_PROCID and SLURM_NTASKS, are not set: start it by torchrun or srun".to_owned();
        let rank = either("RANK", "SLURM_PROCID")?.ok_or_else(missing)?;
        let size = either("WORLD_SIZE", "SLURM_NTASKS")?.ok_or_else(missing)?;
        if rank >= size {
            return Err(format!("rank {rank} is not among {size}"));
        }
        let local = either("LOCAL_RANK", "SLURM_LOCALID")?.unwrap_or(0);
        let host = get("MASTER_ADDR").or_else(|| get("SLURM_STEP_NODELIST").map(|list| first_host(&list)));
        let [job, step] = ["SLURM_JOB_ID", "SLURM_STEP_ID"].map(|name| get(name).unwrap_or_default());
        let mut hash = Sha256::new();
        let run = get("TORCHELASTIC_RUN_ID").unwrap_or_default();
        hash.update(format!("{size} {job} {step} {run} {}", get("TORCHELASTIC_RESTART_COUNT").unwrap_or_default()));
        let token = u64::from_le_bytes(hash.finalize()[..8].try_into().expect("it is longer"));
        let port = match number("MASTER_PORT")? {
            // torchrun itself listens there: the next but some, by what all ranks know.
            Some(port) if get("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|used| used == "True") => of_token(token ^ port as u64),
            Some(port) => u16::try_from(port).map_err(|_| format!("MASTER_PORT={port} is no port"))?,
            None => of_token(token),
        };
        Ok(Self { rank, size, local, first: (host.unwrap_or_else(|| "127.0.0.1".into()), port), token })
    }
}

fn of_token(token: u64) -> u16 {
    PORTS.start + (token % PORTS.len() as u64) as u16
}

/// The first host of a list as SLURM writes it: `node[03-07,9],other` begins with `node03`.
fn first_host(list: &str) -> String {
    let head = list.split([',', '[']).next().unwrap_or(list);
    match list.strip_prefix(head).and_then(|rest| rest.strip_prefix('[')) {
        Some(numbers) => format!("{head}{}", numbers.split(['-', ',', ']']).next().unwrap_or_default()),
        None => head.to_owned(),
    }
}

/// Connects a process with all others. Who does not come or answer within `timeout` is lost.
///
/// # Errors
///
/// An address that does not exist, a port that is taken, processes that do not come.
pub fn processes(place: &Placement, timeout: Duration) -> Result<Mesh, Lost> {
    let until = Instant::now() + timeout;
    let (host, port) = &place.first;
    let apart = |what: &str, error: &dyn fmt::Display| Lost::Apart(format!("rank {}: {what} {host}:{port}: {error}", place.rank));
    let addresses = || (host.as_str(), *port).to_socket_addrs().map_err(|error| apart("no such address:", &error));
    let streams = (0..place.size * Mesh::CHANNELS).map(|_| None).collect();
    let mut meeting = Meeting { rank: place.rank, token: place.token, streams, until };
    if place.rank == 0 {
        // The name that others find this one by may not be one of its own: behind a translated address, or in a container.
        let listener = TcpListener::bind(("0.0.0.0", *port)).map_err(|error| apart("cannot listen at", &error))?;
        let mut listening: Vec<(usize, IpAddr, u16)> = vec![];
        let mut waiting = vec![];
        while waiting.len() + 1 < place.size {
            let (mut stream, peer) = meeting.accept(&listener, || place.size - 1 - waiting.len())?;
            let Some([rank, their_port]) = meeting.greeted(&mut stream) else { continue };
            if rank == 0 || rank as usize >= place.size || listening.iter().any(|(known, ..)| *known == rank as usize) {
                continue;
            }
            listening.push((rank as usize, peer.ip(), their_port as u16));
            waiting.push(stream);
        }
        let mut book = String::new();
        listening.sort_unstable();
        for (rank, ip, port) in &listening {
            book += &format!("{rank} {ip} {port}\n");
        }
        for stream in &mut waiting {
            stream
                .write_all(&(book.len() as u64).to_le_bytes())
                .and_then(|()| stream.write_all(book.as_bytes()))
                .map_err(|e| apart("cannot answer at", &e))?;
        }
        meeting.take(&listener, place.size - 1)?;
    } else {
        let listener = TcpListener::bind(("0.0.0.0", 0)).map_err(|error| apart("cannot listen for those behind it, beside", &error))?;
        let own = listener.local_addr().map_err(|error| apart("has no port, beside", &error))?.port();
        let targets: Vec<SocketAddr> = addresses()?.collect();
        let mut stream = meeting.connect(&targets).map_err(|error| apart("cannot reach the first rank at", &error))?;
        write_words(&mut stream, place.token, [place.rank as u64, u64::from(own)])
            .map_err(|error| apart("lost the first rank at", &error))?;
        stream.set_read_timeout(Some(timeout)).map_err(|error| apart("lost the first rank at", &error))?;
        let book = read_frame(&mut stream).map_err(|error| apart("the first rank did not say where all are, at", &error))?;
        let mut known = vec![(0, targets.clone())];
        for line in String::from_utf8_lossy(&book).lines() {
            let mut words = line.split(' ');
            let entry = (|| {
                let rank: usize = words.next()?.parse().ok()?;
                let ip: IpAddr = words.next()?.parse().ok()?;
                let port = words.next()?.parse().ok()?;
                // What the first rank sees as its own machine is where the first rank is.
                let place = |ip: IpAddr| SocketAddr::new(ip, port);
                let there = if ip.is_loopback() { targets.iter().map(|first| place(first.ip())).collect() } else { vec![place(ip)] };
                Some((rank, there))
            })();
            known.push(entry.ok_or_else(|| Lost::Apart(format!("`{line}` is no address of a rank")))?);
        }
        for (rank, targets) in known.into_iter().filter(|(rank, _)| *rank < place.rank) {
            for channel in 0..Mesh::CHANNELS {
                let mut stream = meeting.connect(&targets).map_err(|error| apart(&format!("cannot reach rank {rank}, told by"), &error))?;
                write_words(&mut stream, place.token, [place.rank as u64, channel as u64])
                    .map_err(|error| apart("lost its peer, told by", &error))?;
                meeting.streams[rank * Mesh::CHANNELS + channel] = Some(stream);
            }
        }
        meeting.take(&listener, place.size - 1 - place.rank)?;
    }
    meeting.mesh(place.size, timeout)
}

/// Ranks that come together.
struct Meeting {
    rank: usize,
    token: u64,
    /// By rank and channel.
    streams: Vec<Option<TcpStream>>,
    until: Instant,
}

impl Meeting {
    /// The next one that connects; `missing` says how many have not.
    fn accept(&self, listener: &TcpListener, missing: impl Fn() -> usize) -> Result<(TcpStream, SocketAddr), Lost> {
        listener.set_nonblocking(true).map_err(|error| Lost::Apart(error.to_string()))?;
        loop {
            match listener.accept() {
                Ok((stream, peer)) => {
                    let ready = stream.set_nonblocking(false).and_then(|()| stream.set_nodelay(true));
                    ready.map_err(|error| Lost::Apart(error.to_string()))?;
                    return Ok((stream, peer));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if Instant::now() > self.until {
                        return Err(Lost::Apart(format!(
                            "{} of {} ranks did not come in time",
                            missing(),
                            self.streams.len() / Mesh::CHANNELS
                        )));
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(error) => return Err(Lost::Apart(format!("cannot accept connections: {error}"))),
            }
        }
    }

    /// What a rank of this run says first; none of strangers, who are given a moment only.
    fn greeted(&self, stream: &mut TcpStream) -> Option<[u64; 2]> {
        const MOMENT: Duration = Duration::from_secs(2);
        stream.set_read_timeout(Some(MOMENT)).ok()?;
        read_words(stream, self.token).ok()
    }

    /// Takes the connections of that many ranks behind this one.
    fn take(&mut self, listener: &TcpListener, ranks: usize) -> Result<(), Lost> {
        let mut left = ranks * Mesh::CHANNELS;
        while left > 0 {
            let (mut stream, _) = self.accept(listener, || left.div_ceil(Mesh::CHANNELS))?;
            let Some([rank, channel]) = self.greeted(&mut stream) else { continue };
            let place = (rank as usize).saturating_mul(Mesh::CHANNELS).saturating_add(channel as usize);
            if channel as usize >= Mesh::CHANNELS || self.streams.get(place).is_none_or(Option::is_some) {
                continue;
            }
            self.streams[place] = Some(stream);
            left -= 1;
        }
        Ok(())
    }

    /// Tries until the time is over: who is to listen may not have started.
    fn connect(&self, targets: &[SocketAddr]) -> io::Result<TcpStream> {
        loop {
            match TcpStream::connect(targets) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) if Instant::now() > self.until => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn mesh(self, size: usize, timeout: Duration) -> Result<Mesh, Lost> {
        let mut channels: Vec<Channel> = (0..Mesh::CHANNELS)
            .map(|_| Channel { posts: (0..size).map(|_| None).collect(), inboxes: (0..size).map(|_| None).collect(), slow: None })
            .collect();
        for (place, stream) in self.streams.into_iter().enumerate() {
            let (rank, channel) = (place / Mesh::CHANNELS, place % Mesh::CHANNELS);
            if rank == self.rank {
                continue;
            }
            let broken = |error: io::Error| Lost::Apart(format!("rank {rank}: {error}"));
            let stream = stream.expect("every rank has come");
            stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(Some(timeout))).map_err(broken)?;
            let reader = stream.try_clone().map_err(broken)?;
            let (sender, receiver) = mpsc::channel();
            std::thread::spawn(move || read_all(reader, &sender));
            channels[channel].posts[rank] = Some(Arc::new(Writer(Mutex::new(stream))));
            channels[channel].inboxes[rank] = Some(receiver);
        }
        Ok(Mesh { rank: self.rank, channels, timeout })
    }
}

/// Reads what is sent until the other end closes, so that no sender waits for a receiver that is busy.
fn read_all(stream: TcpStream, sender: &mpsc::Sender<Message>) {
    let mut stream = BufReader::with_capacity(1 << 16, stream);
    while let Ok(mut frame) = read_frame(&mut stream) {
        let message = match frame.pop() {
            Some(BYTES) => Message::Bytes(frame, None),
            Some(LEAVES) => Message::Leaves(String::from_utf8_lossy(&frame).into_owned()),
            Some(WORKS) => Message::Works,
            _ => break,
        };
        if sender.send(message).is_err() {
            break;
        }
    }
}

/// The last byte of a frame, by the kind of message.
const BYTES: u8 = 0;
const LEAVES: u8 = 1;
const WORKS: u8 = 2;

#[derive(Debug)]
struct Writer(Mutex<TcpStream>);

impl Post for Writer {
    fn post(&self, message: Message) {
        let (mut bytes, kind) = match message {
            Message::Bytes(bytes, _) => (bytes, BYTES),
            Message::Leaves(why) => (why.into_bytes(), LEAVES),
            Message::Works => (vec![], WORKS),
        };
        bytes.push(kind);
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.write_all(&(bytes.len() as u64).to_le_bytes()).and_then(|()| stream.write_all(&bytes)).is_err() {
            // What is half sent would be read as the beginning of what follows. Whoever waits for one that has gone finds out.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The reading thread has the same connection: without this it would stay open.
        let _ = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).shutdown(std::net::Shutdown::Both);
    }
}

/// The largest frame that is believed: whole checkpoints are sent.
const LARGEST: u64 = 1 << 40;

fn read_frame(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 8];
    stream.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > LARGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "this is not one of our ranks"));
    }
    // Grows with what comes, not with what is claimed.
    let mut bytes = vec![];
    if stream.take(length).read_to_end(&mut bytes)? as u64 == length { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// What a rank says first: that it is one, of which start, and two numbers.
const GREETING: [u8; 8] = *b"ablate-1";

fn write_words(stream: &mut impl Write, token: u64, words: [u64; 2]) -> io::Result<()> {
    stream.write_all(&[GREETING, token.to_le_bytes(), words[0].to_le_bytes(), words[1].to_le_bytes()].concat())
}

fn read_words(stream: &mut impl Read, token: u64) -> io::Result<[u64; 2]> {
    let mut bytes = [0; 32];
    stream.read_exact(&mut bytes)?;
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
    if bytes[..8] == GREETING && word(8) == token { Ok([word(16), word(24)]) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn read(values: &[(&str, &str)]) -> Result<Placement, String> {
        let values: HashMap<&str, &str> = values.iter().copied().collect();
        Placement::read(&|name| values.get(name).map(ToString::to_string))
    }

    #[test]
    fn launchers_say_who_is_who() {
        let torchrun = [("RANK", "3"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1"), ("MASTER_ADDR", "n0"), ("MASTER_PORT", "400")];
        let found = read(&torchrun).unwrap();
        assert_eq!((found.rank, found.size, found.local, found.first), (3, 8, 1, ("n0".into(), 400)));
        // Its own store listens at that port.
        let beside = read(&[&torchrun[..], &[("TORCHELASTIC_USE_AGENT_STORE", "True")]].concat()).unwrap();
        assert!(PORTS.contains(&beside.first.1) && beside.first.1 != 400);
        let slurm = |rank, step| {
            let job = [("SLURM_STEP_NODELIST", "gpu[07-09,12]"), ("SLURM_JOB_ID", "10042"), ("SLURM_STEP_ID", step)];
            read(&[&[("SLURM_PROCID", rank), ("SLURM_NTASKS", "2")], &job[..]].concat()).unwrap()
        };
        let found = slurm("1", "0");
        assert_eq!((found.rank, found.size, found.local, found.first.0.as_str()), (1, 2, 0, "gpu07"));
        assert!(PORTS.contains(&found.first.1));
        assert_eq!((slurm("0", "0").first, slurm("0", "0").token), (found.first, found.token));
        assert_ne!(slurm("0", "0").token, slurm("0", "1").token);
        assert!(read(&[]).unwrap_err().contains("torchrun or srun"));
        assert!(read(&[("RANK", "2"), ("WORLD_SIZE", "2")]).unwrap_err().contains("not among"));
        assert!(read(&[("RANK", "x"), ("WORLD_SIZE", "2")]).unwrap_err().contains("RANK=x is no number"));
        assert!(read(&[("RANK", "0"), ("WORLD_SIZE", "2"), ("MASTER_PORT", "70000")]).unwrap_err().contains("no port"));
    }

    #[test]
    fn the_first_host_of_a_list() {
        for (list, host) in
            [("a", "a"), ("a,b", "a"), ("n[1,3]", "n1"), ("n[08-12],m", "n08"), ("localhost", "localhost"), ("n-1-[2]", "n-1-2")]
        {
            assert_eq!(first_host(list), host);
        }
    }
}
