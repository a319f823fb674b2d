//! The real binary: for signals, exit status, descriptor limits, and what the kernel says that it uses.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::{connect, heard, hello, until, within};

/// `vestibule run` on a `routes.toml` of the test's, killed when dropped. It says on stderr what it has to say.
pub struct Process {
    child: Child,
    folder: tempfile::TempDir,
}

impl Process {
    /// The same, from its start on left with no more descriptors than these: fewer than it counts on.
    pub async fn start_with_descriptors(limit: u64, routes: &str) -> Self {
        let process = Self::start(routes).await;
        // A worker that has served somebody has what it needs, and of so many clients each worker has some.
        for _ in 0..64 {
            let mut client = process.connect().await;
            client.write_all(&hello("nobody.test")).await.unwrap();
            let _ = heard(&mut client).await;
        }
        let limit = Rlimit { current: Some(limit), maximum: Some(limit) };
        prlimit(Some(process.pid()), Resource::Nofile, limit).unwrap();
        process
    }

    /// Runs it, and waits until it listens. `{folder}` in the text stands for a folder of its own.
    pub async fn start(routes: &str) -> Self {
        Self::start_by(&[], routes).await
    }

    /// The same with a resolv.conf of its own, which takes root.
    pub async fn start_with_resolv_conf(text: &str, routes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("resolv.conf");
        fs::write(&file, text).unwrap();
        let script = "mount --bind $0 /etc/resolv.conf && exec \"$@\"";
        Self::start_by(&["unshare", "--mount", "sh", "-c", script, file.to_str().unwrap()], routes).await
    }

    /// The same behind other words of a command line.
    pub async fn start_by(wrapper: &[&str], routes: &str) -> Self {
        let mut process = Self::spawn(wrapper, routes);
        let child = &mut process.child;
        let log = process.folder.path().join(LOG);
        let wait = async {
            while !fs::read_to_string(&log).unwrap().contains("listening on") {
                assert!(child.try_wait().unwrap().is_none(), "it ended: {}", fs::read_to_string(&log).unwrap());
                sleep(Duration::from_millis(2)).await;
            }
        };
        within(wait).await;
        process
    }

    /// Runs it behind other words of a command line, whatever becomes of it.
    pub fn spawn(wrapper: &[&str], routes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("routes.toml");
        fs::write(&file, routes.replace("{folder}", folder.path().to_str().unwrap())).unwrap();
        let words = [wrapper, &[env!("CARGO_BIN_EXE_vestibule"), "run", "-c", file.to_str().unwrap()]].concat();
        let child = Command::new(words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(fs::File::create(folder.path().join("stdout")).unwrap())
            .stderr(fs::File::create(folder.path().join(LOG)).unwrap())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path(LOG)).unwrap()
    }

    /// Waits until it has said something.
    pub async fn says(&self, words: &str) {
        until(|| self.log().contains(words)).await;
    }

    /// Where its listener `https` listens.
    pub fn address(&self) -> SocketAddr {
        self.address_of("https")
    }

    /// Where a listener listens first.
    pub fn address_of(&self, listener: &str) -> SocketAddr {
        let log = self.log();
        let said = log.lines().find_map(|line| line.split_once("listening on ").filter(|(_, rest)| rest.contains(listener)));
        said.and_then(|(_, rest)| rest.split_whitespace().next()).unwrap().parse().unwrap()
    }

    /// A connection to the listener `https`.
    pub async fn connect(&self) -> TcpStream {
        connect(self.address()).await
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits until it has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        within(self.child.wait()).await.unwrap()
    }

    /// Waits for a second in which it does next to nothing: one that is never at rest spins.
    pub async fn rests(&self) {
        let calm = async {
            loop {
                let (used, began) = (self.processor_time(), Instant::now());
                // Nothing is waited for here: this is the time over which is measured.
                sleep(Duration::from_secs(1)).await;
                if self.processor_time() - used < began.elapsed() / 10 {
                    return;
                }
            }
        };
        within(calm).await;
    }

    /// The processor time it has used, in the kernel and out of it.
    pub fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        // Behind the program's name, which may hold anything: from the third field on.
        let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // The kernel counts in hundredths of a second here, whatever it is built with.
        Duration::from_millis(ticks * 10)
    }

    /// The bytes of memory that are its alone. Pages of files do not count: those of a binary that was linked a
    /// moment ago pass for written ones until they are on the disk.
    pub fn private_memory(&self) -> usize {
        let rollup = self.proc("smaps_rollup");
        let anonymous = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:")).unwrap();
        let kilobytes = anonymous.split_whitespace().next().unwrap();
        kilobytes.parse::<usize>().unwrap() * 1024
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_nonzero())).unwrap().count()
    }

    /// Waits until it watches a folder, as the kernel has it: what changes there from then on is told to it.
    pub async fn watches(&self, folder: &Path) {
        let inode = format!(" ino:{:x} ", fs::metadata(folder).unwrap().ino());
        let is_it = |line: &str| line.starts_with("inotify ") && line.contains(&inode);
        let files = || fs::read_dir(format!("/proc/{}/fdinfo", self.pid().as_raw_nonzero())).unwrap();
        // A descriptor may be gone by the time it is looked at.
        let told = || files().filter_map(|file| fs::read_to_string(file.ok()?.path()).ok());
        until(|| told().any(|info| info.lines().any(is_it))).await;
    }

    fn proc(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.pid().as_raw_nonzero())).unwrap()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.id().try_into().unwrap()).unwrap()
    }
}

const LOG: &str = "stderr";
