use super::*;
use crate::pulse;
use std::{net::TcpListener, thread, time::Instant};

const PATIENCE: Duration = Duration::from_secs(20);

/// What each rank makes of its mesh, on threads that are connected through memory or over sockets.
fn together<T: Send + 'static>(count: usize, sockets: bool, work: impl Fn(Mesh) -> T + Clone + Send + 'static) -> Vec<T> {
    let port = sockets.then(|| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
    let mut meshes = threads(count, None, PATIENCE);
    let ranks: Vec<_> = (0..count)
        .map(|rank| {
            let (work, mesh) = (work.clone(), meshes.remove(0));
            thread::spawn(move || match port {
                None => work(mesh),
                Some(port) => {
                    let place = Placement { rank, size: count, local: 0, first: ("127.0.0.1".into(), port), token: 7 };
                    work(processes(&place, PATIENCE).unwrap())
                }
            })
        })
        .collect();
    ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
}

fn numbers(rank: usize, count: usize) -> Vec<f64> {
    (0..count).map(|i| ((i * 37 + rank * 101) % 97) as f64 / 7.0 - 5.0).collect()
}

#[test]
fn sums_are_those_in_the_order_of_ranks_to_the_bit() {
    for sockets in [false, true] {
        for ranks in [1, 2, 3, 5] {
            for count in [0, 1, 2, 7, 1000] {
                let expected: Vec<f64> =
                    (0..count).map(|i| (1..ranks).fold(numbers(0, count)[i], |sum, rank| sum + numbers(rank, count)[i])).collect();
                let sums = together(ranks, sockets, move |mesh| {
                    let group = mesh.groups(1).gradients;
                    let mut wide = Numbers::F64(numbers(group.rank(), count));
                    let mut narrow = Numbers::F32(numbers(group.rank(), count).iter().map(|v| *v as f32).collect());
                    group.all_reduce(&mut wide).unwrap();
                    group.all_reduce(&mut narrow).unwrap();
                    (wide, narrow)
                });
                let narrow: Vec<f32> = (0..count)
                    .map(|i| (1..ranks).fold(numbers(0, count)[i] as f32, |sum, rank| sum + numbers(rank, count)[i] as f32))
                    .collect();
                for sum in sums {
                    assert_eq!(sum, (Numbers::F64(expected.clone()), Numbers::F32(narrow.clone())), "{ranks} ranks, {count} numbers");
                }
            }
        }
    }
}

#[test]
fn parts_are_summed_for_their_owners_and_handed_out_again() {
    let parts = vec![0..0, 0..6, 6..7];
    let expected: Vec<f64> = (0..7).map(|i| (0..3).map(|rank| numbers(rank, 7)[i]).sum()).collect();
    for sockets in [false, true] {
        let owned = parts.clone();
        let seen = together(3, sockets, move |mesh| {
            let group = mesh.groups(1).gradients;
            let mut values = Numbers::F64(numbers(group.rank(), 7));
            group.reduce_scatter(&mut values, &owned).unwrap();
            let before = values.clone();
            let mut collected = values.clone();
            group.collect(&mut collected, &owned).unwrap();
            group.all_gather(&mut values, &owned).unwrap();
            assert_eq!(collected, if group.rank() == 0 { values.clone() } else { before.clone() });
            (before, values)
        });
        for (rank, (before, after)) in seen.into_iter().enumerate() {
            let mut own = numbers(rank, 7);
            own[parts[rank].clone()].copy_from_slice(&expected[parts[rank].clone()]);
            assert_eq!((before, after), (Numbers::F64(own), Numbers::F64(expected.clone())));
        }
    }
}

#[test]
fn the_first_rank_tells_all_and_is_told_by_all() {
    for sockets in [false, true] {
        let seen = together(4, sockets, |mesh| {
            let group = mesh.commands();
            let told = group.broadcast(|| b"step".to_vec()).unwrap();
            (told, group.gather(vec![group.rank() as u8; group.rank()]).unwrap())
        });
        assert!(seen.iter().all(|(told, _)| told == b"step"));
        assert_eq!(seen[0].1, [vec![], vec![1], vec![2, 2], vec![3, 3, 3]]);
        assert!(seen[1..].iter().all(|(_, gathered)| gathered.is_empty()));
    }
}

#[test]
fn who_dies_hangs_or_leaves_is_named() {
    for sockets in [false, true] {
        let seen = together(3, sockets, move |mesh| {
            let group = mesh.commands();
            if group.rank() == 1 {
                return None;
            }
            group.all_reduce(&mut Numbers::F32(vec![1.0; 9])).err()
        });
        let dead = Some(Lost::Left { rank: 1, why: None });
        // Whoever notices first goes, and is then missed as well.
        assert!(seen[0] == dead || seen[2] == dead, "{seen:?}");
        assert!(seen[0].is_some() && seen[2].is_some());

        let seen = together(2, sockets, move |mesh| {
            let group = mesh.commands();
            if group.rank() == 1 {
                group.leave("no memory");
                return None;
            }
            group.broadcast(Vec::new).unwrap();
            group.gather(vec![]).err()
        });
        assert_eq!(seen[0], Some(Lost::Left { rank: 1, why: Some("no memory".into()) }));
    }
    let mut meshes = threads(2, None, Duration::from_millis(50));
    let (_hanging, waiting) = (meshes.remove(1), meshes.remove(0));
    let group = waiting.commands();
    assert_eq!(group.gather(vec![]), Err(Lost::Silent { rank: 1, seconds: 0 }));
}

#[test]
fn whoever_works_is_waited_for_as_long_as_it_shows_that_it_does() {
    let mut meshes = threads(2, None, Duration::from_millis(400));
    let (follows, leads) = (meshes.remove(1), meshes.remove(0));
    let waiting = thread::spawn(move || {
        let group = follows.commands();
        group.broadcast(Vec::new)
    });
    let group = leads.commands();
    let until = Instant::now() + Duration::from_millis(1200);
    group.working(|| {
        while Instant::now() < until {
            pulse::beat();
            thread::sleep(Duration::from_millis(20));
        }
    });
    group.broadcast(|| b"done".to_vec()).unwrap();
    assert_eq!(waiting.join().unwrap(), Ok(b"done".to_vec()));
}

#[test]
fn those_who_do_not_come_are_not_waited_for_for_ever() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = |rank| Placement { rank, size: 2, local: 0, first: ("127.0.0.1".into(), port), token: 7 };
    let patience = Duration::from_millis(200);
    assert!(processes(&place(0), patience).unwrap_err().to_string().contains("1 of 2 ranks did not come"));
    assert!(processes(&place(1), patience).unwrap_err().to_string().contains("cannot reach the first rank"));
}

#[test]
fn strangers_are_no_ranks_and_hold_nobody_up() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = move |rank, token| Placement { rank, size: 2, local: 0, first: ("127.0.0.1".into(), port), token };
    let first = thread::spawn(move || processes(&place(0, 7), PATIENCE).map(|mesh| mesh.size()));
    // One that says something else, and one of another start.
    let stranger = thread::spawn(move || {
        loop {
            if let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) {
                return std::io::Write::write_all(&mut stream, &[b'x'; 64]);
            }
        }
    });
    let other = thread::spawn(move || processes(&place(1, 8), Duration::from_millis(500)).map(|mesh| mesh.size()));
    assert!(other.join().unwrap().is_err());
    let _ = stranger.join().unwrap();
    let second = processes(&place(1, 7), PATIENCE).unwrap();
    assert_eq!((first.join().unwrap().unwrap(), second.size()), (2, 2));
}

#[test]
fn ranks_that_do_different_things_are_told() {
    let seen = together(2, false, |mesh| {
        let group = mesh.groups(1).gradients;
        let count = 8 + 4 * group.rank();
        group.all_reduce(&mut Numbers::F32(vec![1.0; count])).unwrap_err().to_string()
    });
    assert!(seen.iter().any(|said| said.contains("does something else")), "{seen:?}");
}

#[test]
fn a_slow_link_takes_its_time_and_lets_others_work() {
    // 80 kB in all from each rank, at 400 kB/s.
    let link = Link { bytes_per_second: 4e5, latency: 1e-3 };
    let meshes = threads(2, Some(link), PATIENCE);
    let started = Instant::now();
    let ranks: Vec<_> = meshes
        .into_iter()
        .map(|mesh| {
            thread::spawn(move || {
                let group = mesh.groups(1).gradients;
                group.all_reduce(&mut Numbers::F32(vec![1.0; 20_000])).unwrap();
            })
        })
        .collect();
    ranks.into_iter().for_each(|rank| rank.join().unwrap());
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
}
