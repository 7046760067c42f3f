//! The ends of all connections of one rank.

use super::Group;
use crate::pulse;
use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// What goes over a connection.
#[derive(Debug)]
pub(super) enum Message {
    /// Numbers or a command, and when a slow link has delivered it.
    Bytes(Vec<u8>, Option<Instant>),
    /// The sender leaves, and why.
    Leaves(String),
    /// The sender has something else to do first.
    Works,
}

/// The end of a connection that messages are sent into. It does not wait for the receiver.
pub(super) trait Post: Send + Sync + fmt::Debug {
    /// Sends a message; none that the other one does not care for any more.
    fn post(&self, message: Message);
}

/// Why something that all ranks do together did not come about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// A rank has left, and why if it said so.
    Left {
        /// Which.
        rank: usize,
        /// Its last words.
        why: Option<String>,
    },
    /// A rank did not answer in time.
    Silent {
        /// Which.
        rank: usize,
        /// How long it was waited for.
        seconds: u64,
    },
    /// They did not find each other, and why.
    Apart(String),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left { rank, why: Some(why) } => write!(f, "rank {rank} has left: {why}"),
            Self::Left { rank, why: None } => write!(f, "rank {rank} has left without a word: it was killed, or lost its connection"),
            Self::Silent { rank, seconds } => {
                write!(f, "rank {rank} has not answered for {seconds} s (parallel.timeout_seconds): it hangs, or is slower than that")
            }
            Self::Apart(why) => f.write_str(why),
        }
    }
}

/// How fast a connection is made to be, so that what slow links do can be seen on one machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Bytes a second that a rank can send.
    pub bytes_per_second: f64,
    /// Seconds until the first of them arrives.
    pub latency: f64,
}

/// What a rank sends in any channel goes over the same link.
#[derive(Clone, Debug)]
pub(super) struct Slow {
    pub link: Link,
    pub free: Arc<Mutex<Instant>>,
}

impl Slow {
    /// When a message that is sent now will have arrived.
    fn due(&self, bytes: usize) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        *free = (*free).max(Instant::now()) + Duration::from_secs_f64(bytes as f64 / self.link.bytes_per_second);
        *free + Duration::from_secs_f64(self.link.latency)
    }
}

/// Connections to every other rank, for one purpose.
#[derive(Debug)]
pub(super) struct Channel {
    /// By rank; none to itself.
    pub posts: Vec<Option<Arc<dyn Post>>>,
    /// By rank; none of itself.
    pub inboxes: Vec<Option<Receiver<Message>>>,
    pub slow: Option<Slow>,
}

impl Channel {
    pub fn size(&self) -> usize {
        self.posts.len()
    }

    pub fn send(&self, to: usize, bytes: Vec<u8>) {
        let due = self.slow.as_ref().map(|slow| slow.due(bytes.len()));
        self.posts[to].as_ref().expect("no rank sends to itself").post(Message::Bytes(bytes, due));
    }

    pub fn leave(&self, to: usize, why: &str) {
        self.posts[to].as_ref().expect("no rank leaves itself").post(Message::Leaves(why.to_owned()));
    }

    /// The same connections to some ranks alone; these are gone here.
    fn taken(&mut self, ranks: &[usize]) -> Self {
        let taken = |rank: usize| ranks.contains(&rank);
        Self {
            posts: self.posts.iter_mut().enumerate().map(|(rank, post)| post.take_if(|_| taken(rank))).collect(),
            inboxes: self.inboxes.iter_mut().enumerate().map(|(rank, inbox)| inbox.take_if(|_| taken(rank))).collect(),
            slow: self.slow.clone(),
        }
    }

    /// Does something that the others wait for, and tells them every so often that it goes on, by the pulse of this process.
    pub fn working<T>(&self, every: Duration, work: impl FnOnce() -> T) -> T {
        let (done, over) = mpsc::channel::<()>();
        let posts = self.posts.clone();
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut seen = pulse::beats();
                while over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                    let now = pulse::beats();
                    if std::mem::replace(&mut seen, now) != now {
                        posts.iter().flatten().for_each(|post| post.post(Message::Works));
                    }
                }
            });
            // Given up also where the work panics.
            let _done = done;
            work()
        })
    }

    /// Why a rank has left, if it says so in time.
    pub fn last_words(&self, from: usize, patience: Duration) -> Option<String> {
        let (inbox, until) = (self.inboxes[from].as_ref()?, Instant::now() + patience);
        while let Ok(message) = inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Message::Leaves(why) = message {
                return Some(why);
            }
        }
        None
    }

    pub fn receive(&self, from: usize, timeout: Duration) -> Result<Vec<u8>, Lost> {
        let inbox = self.inboxes[from].as_ref().expect("no rank waits for itself");
        loop {
            return match inbox.recv_timeout(timeout) {
                Ok(Message::Works) => continue,
                Ok(Message::Bytes(bytes, due)) => {
                    if let Some(rest) = due.and_then(|due| due.checked_duration_since(Instant::now())) {
                        thread::sleep(rest);
                    }
                    Ok(bytes)
                }
                Ok(Message::Leaves(why)) => Err(Lost::Left { rank: from, why: Some(why) }),
                Err(RecvTimeoutError::Disconnected) => Err(Lost::Left { rank: from, why: None }),
                Err(RecvTimeoutError::Timeout) => Err(Lost::Silent { rank: from, seconds: timeout.as_secs() }),
            };
        }
    }
}

/// The ranks of a run as one of them needs them.
#[derive(Debug)]
pub struct Groups {
    /// All, for commands.
    pub commands: Group,
    /// Those who have the same part of each layer, for gradients.
    pub gradients: Group,
    /// The same, for parameters.
    pub parameters: Group,
    /// Those among whom each layer is divided, if it is.
    pub neighbours: Option<Group>,
}

/// The ends of all connections of one rank, a set for each purpose.
#[derive(Debug)]
pub struct Mesh {
    pub(super) rank: usize,
    pub(super) channels: Vec<Channel>,
    pub(super) timeout: Duration,
}

impl Mesh {
    /// What has a set of connections of its own: commands, gradients and parameters, which go their way beside each other.
    pub const CHANNELS: usize = 3;

    /// The place of this rank among all, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many ranks there are.
    pub fn size(&self) -> usize {
        self.channels[0].size()
    }

    /// Does something that the others wait for, and tells them as long as it goes on.
    pub fn working<T>(&self, work: impl FnOnce() -> T) -> T {
        self.channels[0].working(self.timeout / 4, work)
    }

    /// Tells the others why this one leaves before there was anything to do.
    pub fn leave(self, why: &str) {
        self.commands().leave(why);
    }

    /// All ranks, for commands alone.
    pub fn commands(self) -> Group {
        self.groups(1).commands
    }

    /// All ranks by purpose, where `tensor` neighbours each divide the layers among them.
    ///
    /// # Panics
    ///
    /// If there are not so many times so many ranks.
    pub fn groups(self, tensor: usize) -> Groups {
        let Self { rank, channels, timeout } = self;
        let size = channels[0].size();
        assert!(size.is_multiple_of(tensor), "{size} ranks in groups of {tensor}");
        let group = |channel: Channel, members: Vec<usize>| {
            let rank = members.iter().position(|member| *member == rank).expect("a rank is a member of its groups");
            Group { rank, members, channel, timeout }
        };
        let neighbours: Vec<usize> = (rank / tensor * tensor..).take(tensor).collect();
        let alike: Vec<usize> = (rank % tensor..size).step_by(tensor).collect();
        let [commands, mut gradients, parameters]: [Channel; Self::CHANNELS] = channels.try_into().expect("a mesh has its channels");
        Groups {
            // Those who divide layers send each other no gradients of these.
            neighbours: (tensor > 1).then(|| group(gradients.taken(&neighbours), neighbours)),
            commands: group(commands, (0..size).collect()),
            gradients: group(gradients, alike.clone()),
            parameters: group(parameters, alike),
        }
    }
}
