//! `vestibule demo` in an empty folder, as a new user meets it. Its ports are fixed, so one test alone gets as far as them.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::PATIENCE;
use crate::harness::program::{Folder, said};
use crate::peers::is_installed;

/// A started `demo`, and its output line by line.
struct Demo {
    process: Child,
    lines: Receiver<String>,
}

impl Demo {
    fn start(folder: &Folder) -> Self {
        let mut process = folder.vestibule(&["demo"]).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(process.stdout.take().unwrap());
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process, lines }
    }

    /// The next line that is not empty.
    fn line(&self) -> String {
        let next = || self.lines.recv_timeout(PATIENCE).expect("the demo goes on talking");
        std::iter::repeat_with(next).find(|line| !line.is_empty()).expect("it repeats for ever")
    }

    /// The lines up to one that has this text in it.
    fn lines_until(&self, text: &str) -> Vec<String> {
        let mut lines = vec![self.line()];
        while !lines.last().is_some_and(|line| line.contains(text)) {
            lines.push(self.line());
        }
        lines
    }

    /// Presses Ctrl-C.
    fn interrupt(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        self.process.wait().unwrap().code()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Gone already, if all went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_demo_shows_each_way_through_and_ends_cleanly() {
    if !is_installed("curl") {
        return;
    }
    let folder = Folder::empty();
    std::fs::create_dir(folder.path("certs")).unwrap();
    for file in ["certs/ca.pem", "certs/shop.pem", "certs/shop.key"] {
        folder.write(file, "the user's own");
    }
    let mut demo = Demo::start(&folder);
    let greeting = demo.lines_until("One line per session");
    let pasted: Vec<_> = greeting.iter().filter(|line| line.trim_start().starts_with("curl ")).collect();
    assert_eq!(pasted.len(), SHOWN.len(), "{greeting:?}");
    for (line, (host, answer, seen)) in pasted.into_iter().zip(SHOWN) {
        assert!(line.contains(host), "{line}");
        let found = said(paste(&folder, line));
        let text = found.out.clone() + &found.err;
        assert!(text.contains(answer), "{line}\n{found:?}");
        let live = demo.line();
        assert!(live.contains(seen), "the session of {line}: {live}");
    }
    assert_keys_are_private(&folder);
    for file in ["certs/ca.pem", "certs/shop.pem", "certs/shop.key"] {
        assert_eq!(std::fs::read_to_string(folder.path(file)).unwrap(), "the user's own", "{file}");
    }
    assert_a_second_one_says_which_port_is_taken(&folder);
    assert_eq!(demo.interrupt(), Some(0));
    let rest: Vec<_> = demo.lines.iter().collect();
    assert!(rest.is_empty(), "nothing is said on standard output after the last session: {rest:?}");
}

#[test]
fn a_demo_that_cannot_keep_certificates_says_where_to_run_it() {
    let folder = Folder::empty();
    folder.write("certs", "a file");
    let found = folder.run(&["demo"]);
    assert_eq!((found.status, found.out.as_str()), (Some(1), ""));
    assert_eq!(found.err.lines().count(), 1, "{}", found.err);
    let (begin, end) = (
        "vestibule: the demo keeps its certificates in a folder that it makes: certs/demo: ",
        "; run it in a folder that you can write to\n",
    );
    assert!(found.err.starts_with(begin) && found.err.ends_with(end), "{}", found.err);
}

/// Each curl line that is printed: the host in it, what curl says, what the line of the session says. Who was first to
/// end the connection is left open: curl may reset it, with the last bytes of the server unread.
const SHOWN: [(&str, &str, &str); 7] = [
    ("https://shop.demo.localhost:8443/", "This is shop (127.0.0.1:944", " shop.demo.localhost -> shop 127.0.0.1:944"),
    ("https://a.shop.demo.localhost:8443/", "This is shop (127.0.0.1:944", " a.shop.demo.localhost -> shop 127.0.0.1:944"),
    ("https://api.demo.localhost:8443/", "This is api (127.0.0.1:9443)", " api.demo.localhost -> api 127.0.0.1:9443 200 "),
    ("https://blue.apps.demo.localhost:8443/", "This is app_blue (127.0.0.1:9445)", " -> app_blue 127.0.0.1:9445 200 "),
    ("https://else.demo.localhost:8443/", "This is welcome (127.0.0.1:9447)", " -> welcome 127.0.0.1:9447 200 "),
    ("https://old.demo.localhost:8443/", "unrecognized name", " old.demo.localhost "),
    ("http://127.0.0.1:8443/", "HTTP/1.1 308 Permanent Redirect", " 200 responded "),
];

/// The line as it stands, in another terminal in the same folder.
fn paste(folder: &Folder, line: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args([&PATIENCE.as_secs().to_string(), "sh", "-c", line]).current_dir(folder.path(""));
    command
}

fn assert_keys_are_private(folder: &Folder) {
    let files: Vec<_> = std::fs::read_dir(folder.path("certs/demo")).unwrap().map(|file| file.unwrap()).collect();
    let keys: Vec<_> = files.iter().filter(|file| file.path().extension().is_some_and(|extension| extension == "key")).collect();
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!(key.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", key.path().display());
    }
}

fn assert_a_second_one_says_which_port_is_taken(folder: &Folder) {
    let second = folder.run(&["demo"]);
    assert_eq!((second.status, second.out.as_str()), (Some(1), ""));
    assert!(second.err.starts_with("vestibule: ") && second.err.lines().count() == 1, "{}", second.err);
    assert!(second.err.contains("another process listens there") && second.err.contains("127.0.0.1:"), "{}", second.err);
}
