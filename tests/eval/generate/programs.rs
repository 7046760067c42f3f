//! The verbs that write text, as programs.

use ablate::{
    data::Tokenizer,
    eval::{Message, Template, ends},
};
use serde_json::Value;
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Output, Stdio},
};

const CONFIG: &str = r#"
model = { layers = 2, width = 16, context = 64, attention = { heads = 2 }, feed_forward = { hidden = 24 } }
data = { corpus = { kind = "text", paths = ["corpus.txt"] }, validation_bytes = 600, tokenizer = TOKENIZER }
train = { steps = 60, batch = 4 }
optimizer = { kind = "adamw", lr = 0.01 }
schedule.warmup = 2
"#;

/// A tokenizer of letters with two special tokens, as the `tokenizers` library writes it.
fn letters() -> String {
    let letters: Vec<String> = ('a'..='z').chain(('A'..='Z').chain(" .,:!?\n".chars())).map(String::from).collect();
    let mut vocab: serde_json::Map<String, Value> = letters.iter().zip(3u32..).map(|(letter, id)| (letter.clone(), id.into())).collect();
    let special = ["<s>", "<turn>", "</s>"];
    vocab.extend(special.iter().zip(0u32..).map(|(name, id)| (name.to_string(), id.into())));
    let added: Vec<Value> = (0..3)
        .map(|id| {
            serde_json::json!({"id": id, "content": special[id], "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        })
        .collect();
    serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added, "normalizer": null, "pre_tokenizer": null,
        "post_processor": null, "decoder": {"type": "Fuse"},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null,
            "fuse_unk": false, "byte_fallback": false, "vocab": vocab, "merges": []},
    })
    .to_string()
}

/// A folder with a trained run.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new(tokenizer: &str) -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let corpus: String =
            (0..600).map(|i| ["the model reads. ", "a line ends here\n", "what, a model? "][(i * 7 + i / 5) % 3]).collect();
        fs::write(desk.path().join("corpus.txt"), corpus).unwrap();
        fs::write(desk.path().join("letters.json"), letters()).unwrap();
        fs::write(desk.path().join("run.toml"), CONFIG.replace("TOKENIZER", tokenizer)).unwrap();
        desk.done(&["train", "run.toml", "--out", "run"], "");
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ablate(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
        command.current_dir(self.path()).env("ABLATE_CACHE", self.path().join("cache")).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    fn done(&self, arguments: &[&str], input: &str) -> String {
        let output = self.ablate(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.ablate(arguments, "");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(!message.contains("panicked"), "{message}");
        message
    }
}

#[test]
fn generate_continues_many_texts() {
    let desk = Desk::new("{ kind = \"bytes\" }");
    fn generate<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["generate", "run", "--tokens", "20"], more].concat()
    }
    fs::write(desk.path().join("prompts.txt"), "the model\n\nwhat, a\n").unwrap();
    fs::write(desk.path().join("prompts.jsonl"), "{\"prompt\": \"the model\"}\n{\"prompt\": \"what,\\n a\", \"id\": 3}\n").unwrap();

    let lines = |output: String| -> Vec<Value> { output.lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let all = lines(desk.done(&generate(&["--prompts", "prompts.txt", "--num", "2", "--json"]), ""));
    assert_eq!(all.len(), 4);
    for (index, line) in all.iter().enumerate() {
        assert_eq!((&line["number"], &line["draw"]), (&(index / 2).into(), &(index % 2).into()));
        assert_eq!(line["prompt"], ["the model", "what, a"][index / 2]);
    }
    assert_ne!(all[0]["text"], all[1]["text"]);
    // One at a time, alone, and from the command line, the texts are the same.
    assert_eq!(all, lines(desk.done(&generate(&["--prompts", "prompts.txt", "--num", "2", "--json", "--batch", "1"]), "")));
    let alone = desk.done(&generate(&["--prompt", "the model"]), "");
    assert_eq!(alone, format!("the model{}\n", all[0]["text"].as_str().unwrap()));
    let two = desk.done(&generate(&["--prompt", "the model", "--prompt", "what, a"]), "");
    let texts = [0, 2].map(|index| all[index]["text"].as_str().unwrap());
    assert_eq!(two, format!("== prompt 1, continuation 1\nthe model{}\n== prompt 2, continuation 1\nwhat, a{}\n", texts[0], texts[1]));
    let other = lines(desk.done(&generate(&["--prompts", "prompts.jsonl", "--json"]), ""));
    assert_eq!((&other[0], &other[1]["prompt"]), (&all[0], &"what,\n a".into()));

    // Whatever is written, it ends before an e, and a stop can be a line end.
    let stopped = lines(desk.done(&generate(&["--prompt", "the", "--num", "8", "--json", "--stop", "e", "--stop", r"\n"]), ""));
    assert!(stopped.iter().all(|line| !line["text"].as_str().unwrap().contains(['e', '\n'])));
    assert!(stopped.iter().any(|line| line["end"] == "stop"));
    let greedy = |more: &[&str]| desk.done(&generate(&[&["--prompt", "the", "--temperature", "0"], more].concat()), "");
    assert_eq!(greedy(&[]), greedy(&["--seed", "3"]));
    assert_ne!(greedy(&[]), greedy(&["--repetition-penalty", "5"]));
    assert_eq!(greedy(&[]), desk.done(&generate(&["--prompt", "the", "--min-p", "1"]), ""));

    for (arguments, said) in [
        (&["--prompt", "x", "--min-p", "1.5"][..], "--min-p"),
        (&["--prompt", "x", "--repetition-penalty", "0"], "--repetition-penalty"),
        (&["--prompt", "x", "--temperature=-1"], "--temperature"),
        (&["--prompt", "x", "--top-k", "0"], "--top-k"),
        (&["--prompt", "x", "--batch", "0"], "--batch"),
        (&["--prompt", "x", "--num", "0"], "--num"),
        (&["--prompt", "x", "--context", "0"], "--context"),
        (&["--prompt", "too long", "--context", "4"], "prompt 1"),
        (&["--prompts", "nowhere.txt"], "nowhere.txt"),
        (&["--prompts", "run.toml", "--prompts", "x"], "--prompts"),
        (&[], "--prompt"),
    ] {
        let message = desk.refused(&generate(arguments));
        assert!(message.contains(said), "{arguments:?}: {message}");
    }
    fs::write(desk.path().join("prompts.jsonl"), "{\"prompt\": \"a\"}\n{\"promt\": \"b\"}\n").unwrap();
    assert!(desk.refused(&generate(&["--prompts", "prompts.jsonl"])).contains("prompts.jsonl, line 2"));
    fs::write(desk.path().join("prompts.txt"), "\n\n").unwrap();
    assert!(desk.refused(&generate(&["--prompts", "prompts.txt"])).contains("no prompt"));
}

#[test]
fn chat_answers_each_line_of_a_pipe() {
    let desk = Desk::new("{ kind = \"bytes\" }");
    let chat = ["chat", "run", "--tokens", "8", "--stop", r"\n"];
    let talk = |input: &str| desk.done(&chat, input);
    let [one, two] = ["the\n", "the\na\n"].map(talk);
    assert_eq!((one.lines().count(), two.lines().count()), (1, 2));
    assert!(two.starts_with(&one));
    // What was said before matters, until it is forgotten; empty lines and what follows /quit do not.
    let reset = talk("the\n\n/reset\nthe\n/quit\nthe\n");
    assert_eq!(reset, one.repeat(2));
    let again = talk("the\nthe\n");
    assert!(again.starts_with(&one) && again != one.repeat(2), "{again}");
    // Without a line end at the end, and without a line at all.
    assert_eq!(talk("the"), one);
    assert_eq!(talk(""), "");
    assert_ne!(desk.done(&[&chat[..], &["--system", "a model?"]].concat(), "the\n"), one);
    assert!(desk.refused(&["chat", "nowhere"]).contains("nowhere"));
}

#[test]
fn chat_uses_the_template_beside_the_tokenizer() {
    let desk = Desk::new("{ kind = \"file\", path = \"letters.json\" }");
    let folder = desk.path().join("run/checkpoint/tokenizer");
    let chat = ["chat", "run", "--tokens", "8", "--temperature", "0"];
    let plain = desk.done(&chat, "the\n");
    // The template that writes what plain turns are, with the special token that opens documents.
    let write = |template: &str| {
        let config = serde_json::json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": template});
        fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
    };
    write("{{ bos_token }}{% for m in messages %}User: {{ m['content'].strip() }}\n{% endfor %}Assistant:");
    assert_eq!(desk.done(&chat, "the\n"), plain);
    write("{{ bos_token }}<turn>{{ messages[0]['content'] }}{{ eos_token }}<turn>");
    let turns = desk.done(&chat, "the\n");
    assert_ne!(turns, plain);
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let tokens = Template::read(&folder).unwrap().tokens(&[Message::new("user", "ab")], &tokenizer).unwrap();
    assert_eq!(tokens, [0, 1, 3, 4, 2, 1]);
    assert_eq!(ends(&folder, &tokenizer).unwrap(), [0, 2]);
    write("{{ raise_exception('Nobody talks to ' + messages[0]['role']) }}");
    let output = desk.ablate(&chat, "the\n");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("Nobody talks to user"), "{message}");
}

/// Ctrl-C ends an answer, not the conversation.
#[test]
#[cfg(unix)]
fn an_interrupt_ends_the_answer() {
    use std::io::{BufReader, Read};
    let desk = Desk::new("{ kind = \"bytes\" }");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ablate"));
    command.current_dir(desk.path()).args(["chat", "run", "--tokens", "100000000", "--context", "8", "--temperature", "0"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let interrupt = || {
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    };
    // The most likely tokens go on and on: without the interrupt this would take a day.
    input.write_all(b"the\n").unwrap();
    output.read_exact(&mut [0]).unwrap();
    interrupt();
    input.write_all(b"/quit\n").unwrap();
    output.read_to_end(&mut vec![]).unwrap();
    assert!(child.wait().unwrap().success());
}
