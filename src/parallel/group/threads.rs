//! Ranks that are threads of one process.

use super::mesh::{Channel, Link, Mesh, Message, Post, Slow};
use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

impl Post for mpsc::Sender<Message> {
    fn post(&self, message: Message) {
        // Whoever waits for one that has gone finds out.
        let _ = self.send(message);
    }
}

/// As many ranks as are asked for, in their order, connected to each other through memory; over links of some speed, if one is
/// given. Who does not answer for `timeout` is lost.
pub fn threads(count: usize, link: Option<Link>, timeout: Duration) -> Vec<Mesh> {
    let slow: Vec<_> = (0..count).map(|_| link.map(|link| Slow { link, free: Arc::new(Mutex::new(Instant::now())) })).collect();
    let mut meshes: Vec<Mesh> = (0..count).map(|rank| Mesh { rank, channels: vec![], timeout }).collect();
    for _ in 0..Mesh::CHANNELS {
        let channel = |rank: usize| Channel {
            posts: (0..count).map(|_| None).collect(),
            inboxes: (0..count).map(|_| None).collect(),
            slow: slow[rank].clone(),
        };
        let mut channels: Vec<Channel> = (0..count).map(channel).collect();
        for from in 0..count {
            for to in (0..count).filter(|to| *to != from) {
                let (sender, receiver) = mpsc::channel();
                channels[from].posts[to] = Some(Arc::new(sender));
                channels[to].inboxes[from] = Some(receiver);
            }
        }
        meshes.iter_mut().zip(channels).for_each(|(mesh, channel)| mesh.channels.push(channel));
    }
    meshes
}
