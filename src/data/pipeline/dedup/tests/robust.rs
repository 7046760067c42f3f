use super::{
    super::{
        contamination::{Contamination, ContaminationConfig, Evaluation},
        exact::{Exact, ExactConfig},
        minhash::{Minhash, MinhashConfig},
        spans::{Spans, SpansConfig},
        stage::{Judge, Scan},
        substrings::{Substrings, SubstringsConfig},
    },
    *,
};
use std::{collections::BTreeMap, fs};

fn stages() -> Vec<Box<dyn Stage>> {
    let texts = corpus(1, 40);
    let items = |from: usize| texts[from..from + 8].iter().map(|text| text.split(' ').take(30).collect::<Vec<_>>().join(" ")).collect();
    let evaluations = [Evaluation { name: "a".into(), items: items(0) }, Evaluation { name: "b".into(), items: items(8) }];
    let contamination = ContaminationConfig { window: 20, min_piece: 40, ..ContaminationConfig::default() };
    vec![
        Box::new(lines(Keep::None, 0)),
        Box::new(lines(Keep::First, 0)),
        Box::new(Exact::new(ExactConfig::default())),
        Box::new(Minhash::new(MinhashConfig::default()).unwrap()),
        Box::new(Minhash::new(MinhashConfig { verify: Some(0.7), ..MinhashConfig::default() }).unwrap()),
        Box::new(books(1, BookRule::Contained)),
        Box::new(Spans::new(SpansConfig { min_words: 5, ..SpansConfig::default() }).unwrap()),
        Box::new(Substrings::new(SubstringsConfig { length: 60, ..SubstringsConfig::default() }).unwrap()),
        Box::new(Contamination::new(contamination, &evaluations).unwrap()),
    ]
}

/// All files of a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn threads_memory_and_kills_change_no_byte() {
    let shards = cut(&corpus(1, 240), 5);
    for stage in stages() {
        let folders: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
        let first = run_in(folders[0].path(), &*stage, &shards, 64 << 20, 1);
        let changed =
            first.documents.iter().flatten().zip(shards.iter().flatten()).filter(|(found, text)| found.as_ref() != Ok(text)).count();
        assert!(changed > 10, "{}: {changed}", stage.name());
        let expected = files(folders[0].path());
        assert!(
            run_in(folders[1].path(), &*stage, &shards, 64 << 10, 2) == first && files(folders[1].path()) == expected,
            "{}",
            stage.name()
        );

        // Killed within every pass: a scan that is half done, some that are done, a decision that is half done.
        let folder = folders[2].path();
        let work = Work::new(folder, 64 << 10, 1, 7).unwrap();
        for pass_number in 0..stage.passes() {
            for shard in [3u32, 1] {
                let mut scan = stage.scan(&work, pass_number, shard).unwrap();
                documents(shard as usize, &shards[shard as usize]).for_each(|document| scan.add(&document).unwrap());
                scan.finish().unwrap();
            }
            let mut half = stage.scan(&work, pass_number, 0).unwrap();
            documents(0, &shards[0][..3]).for_each(|document| half.add(&document).unwrap());
            drop(half);
            assert!(!work.scanned(pass_number, 0) && work.scanned(pass_number, 1));
            // Decides twice: the first time it was killed before it could say so.
            pass(&UpTo(&*stage, pass_number + 1), &work, &shards).unwrap();
            fs::remove_file(folder.join(format!("decision-{pass_number}.json"))).unwrap();
        }
        assert!(run_in(folder, &*stage, &shards, 64 << 10, 1) == first, "{}", stage.name());
        assert!(files(folder) == expected, "{}", stage.name());
    }
}

/// A stage that is stopped after some passes.
struct UpTo<'a>(&'a dyn Stage, u32);

impl Stage for UpTo<'_> {
    fn name(&self) -> &'static str {
        self.0.name()
    }
    fn passes(&self) -> u32 {
        self.1
    }
    fn scan<'a>(&'a self, work: &'a Work, pass: u32, shard: u32) -> Result<Box<dyn Scan + 'a>> {
        self.0.scan(work, pass, shard)
    }
    fn decide(&self, work: &Work, pass: u32, shards: u32) -> Result<Summary> {
        self.0.decide(work, pass, shards)
    }
    fn judge<'a>(&'a self, work: &'a Work, shard: u32) -> Result<Box<dyn Judge + 'a>> {
        self.0.judge(work, shard)
    }
}

#[test]
fn how_files_are_cut_changes_nothing() {
    let texts = corpus(2, 120);
    for stage in stages() {
        let whole = run(&*stage, &cut(&texts, 1));
        let parts = run(&*stage, &cut(&texts, 7));
        assert_eq!(whole.kept(), parts.kept(), "{}", stage.name());
        assert_eq!(whole.counts, parts.counts);
        assert_eq!(whole.summary, parts.summary);
        // Nor do shards without a document.
        let mut with_empty = cut(&texts, 3);
        with_empty.insert(0, vec![]);
        with_empty.push(vec![]);
        assert_eq!(run(&*stage, &with_empty).kept(), whole.kept(), "{}", stage.name());
        assert!(run(&*stage, &vec![]).documents.is_empty());
    }
}

#[test]
fn damaged_files_are_named_and_refused() {
    let shards = cut(&corpus(1, 60), 2);
    for stage in stages() {
        let folder = tempfile::tempdir().unwrap();
        run_in(folder.path(), &*stage, &shards, 64 << 10, 1);
        let work = Work::new(folder.path(), 64 << 10, 1, 7).unwrap();
        for (name, bytes) in files(folder.path()).iter().filter(|(name, _)| name.ends_with(".run")) {
            let path = folder.path().join(name);
            for damaged in [damage(bytes, bytes.len() - 1), damage(bytes, 20), bytes[..bytes.len() - 1].to_vec()] {
                fs::write(&path, damaged).unwrap();
                // Who reads it: a decision or a later scan, or the judges.
                let decisions = (0..stage.passes()).try_for_each(|number| {
                    (0..2).try_for_each(|shard| match number {
                        0 => Ok(()),
                        _ => stage.scan(&work, number, shard).map(drop),
                    })?;
                    // The first decision would write some of them anew.
                    let made = ["wanted", "anchor", "pairs"].iter().any(|made| name.starts_with(made));
                    if made && number == 0 { Ok(()) } else { stage.decide(&work, number, 2).map(drop) }
                });
                let judged = if name.starts_with("cut") || name.starts_with("drop") || name.starts_with("ignored") {
                    fs::write(&path, damage(bytes, 20)).unwrap();
                    judge(&*stage, &work, &shards).map(drop)
                } else {
                    Ok(())
                };
                let error = decisions.and(judged).expect_err(name).to_string();
                assert!(error.contains(name.as_str()), "{}: {name}: {error}", stage.name());
                fs::write(&path, bytes).unwrap();
            }
        }
        // Another recipe's folder is refused, and other input than was scanned.
        let other = Work::new(folder.path(), 64 << 10, 1, 8).unwrap();
        assert!(judge(&*stage, &other, &shards).unwrap_err().to_string().contains("another recipe"));
        let fewer = vec![shards[0][1..].to_vec(), shards[1].clone()];
        assert!(judge(&*stage, &work, &fewer).unwrap_err().to_string().contains("the input has changed"), "{}", stage.name());
        fs::remove_file(work.scan_path(0, 1)).unwrap();
        assert!(stage.decide(&work, 0, 2).unwrap_err().to_string().contains("scan-0-000001.run"));
    }
}

fn damage(bytes: &[u8], at: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at] ^= 4;
    bytes
}
