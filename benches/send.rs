//! How long it takes from the command to the end to send something by a short code, beside what people use otherwise:
//! `cargo bench --bench send`. `POTLUCK_BENCH_MIB` sets the size of the one file (1024), `POTLUCK_BENCH_FILES` the number
//! of small ones (10000), and `POTLUCK_BENCH_DIR` where they lie (`/dev/shm` if there is one: the disk is not measured).
//!
//! All run on this machine, over loopback, in turn. `nginx` with `curl`, and `wormhole` with a mailbox server of its own
//! (`pip install magic-wormhole magic-wormhole-mailbox-server`), take part if they are in the `PATH`. `nginx` is up
//! before the clock starts and hashes nothing; the two others start with the clock, make a code, and check what came.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

const RUNS: usize = 5;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// The size of each small file, in bytes.
const SMALL: usize = 4 << 10;

fn main() {
    // `cargo test --all-targets` runs it too, unoptimized: then it only has to work.
    let usual = if cfg!(debug_assertions) { (8, 100) } else { (1024, 10_000) };
    let setting = |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (mib, files) = (setting("POTLUCK_BENCH_MIB", usual.0), setting("POTLUCK_BENCH_FILES", usual.1));
    let shm = Path::new("/dev/shm");
    let dir = std::env::var_os("POTLUCK_BENCH_DIR").map(PathBuf::from);
    let base = dir.unwrap_or_else(|| if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() });
    let folder = tempfile::tempdir_in(base).expect("a folder for the files");
    let place = folder.path();
    make_files(place, mib, files);
    let mut all: Vec<Box<dyn Way>> = vec![Box::new(Potluck::start(place))];
    all.extend(Nginx::start(place, false).map(|way| Box::new(way) as Box<dyn Way>));
    all.extend(Nginx::start(place, true).map(|way| Box::new(way) as Box<dyn Way>));
    all.extend(Wormhole::start(place).map(|way| Box::new(way) as Box<dyn Way>));
    for (what, name) in
        [(format!("one file of {mib} MiB"), "big.bin"), (format!("{files} files of {SMALL} bytes"), "small")]
    {
        let mut seconds = vec![Vec::new(); all.len()];
        for round in 0..=RUNS {
            // In turn, so that a machine that gets slower gets slower for all. The first round warms up.
            for (way, seconds) in all.iter_mut().zip(&mut seconds) {
                let target = place.join("got");
                fs::create_dir(&target).expect("a folder for what comes");
                let begun = Instant::now();
                way.go(name, &target);
                let took = begun.elapsed().as_secs_f64();
                assert_eq!(count(&target.join(name)), count(&place.join(name)), "{}", way.name());
                fs::remove_dir_all(&target).expect("it was made");
                if round > 0 {
                    seconds.push(took);
                }
            }
        }
        println!("{what}, from the command to the end, {RUNS} runs in turn: median (least, most) in seconds");
        for (way, mut seconds) in all.iter().zip(seconds) {
            seconds.sort_by(f64::total_cmp);
            let (least, median, most) = (seconds[0], seconds[RUNS / 2], seconds[RUNS - 1]);
            println!("  {:<34} {median:>7.2}  ({least:.2}, {most:.2})", way.name());
        }
    }
}

/// A way to bring a file or a folder from one place to another.
trait Way {
    fn name(&self) -> &'static str;

    /// Brings what has this name into a folder.
    fn go(&mut self, name: &str, target: &Path);
}

/// A process that ends with the bench.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `potluck send` and `potluck receive`, with a hub that is there already.
struct Potluck {
    _hub: Server,
    link: String,
    place: PathBuf,
}

impl Potluck {
    fn start(place: &Path) -> Self {
        let mut serve = potluck(place, "hub");
        serve.args(["serve", "--listen", "127.0.0.1", "--port", "0", "--log-format", "json"]);
        let mut hub = Server(serve.stdout(Stdio::piped()).spawn().expect("the program was built"));
        let out = hub.0.stdout.take().expect("it is piped");
        let link = event(&mut BufReader::new(out), "hub-listening")["link"].as_str().expect("a link").to_owned();
        Self { _hub: hub, link, place: place.to_owned() }
    }
}

impl Way for Potluck {
    fn name(&self) -> &'static str {
        "potluck send, potluck receive"
    }

    fn go(&mut self, name: &str, target: &Path) {
        let mut send = potluck(&self.place, "sender");
        send.args(["send", "--json", "--hub", &self.link]).arg(self.place.join(name));
        let mut send = send.stdout(Stdio::piped()).spawn().expect("the program was built");
        let mut told = BufReader::new(send.stdout.take().expect("it is piped"));
        let code = event(&mut told, "parcel-ready")["code"].as_str().expect("a code").to_owned();
        let mut receive = potluck(&self.place, "receiver");
        receive.args(["receive", "--json", "--hub", &self.link, &code, "--downloads"]).arg(target);
        assert!(receive.stdout(Stdio::null()).status().expect("the program was built").success());
        std::io::copy(&mut told, &mut std::io::sink()).expect("it ends");
        assert!(send.wait().expect("it ends").success());
    }
}

/// The program, with a home of its own.
fn potluck(place: &Path, home: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_potluck"));
    command.env("POTLUCK_HOME", place.join(home)).current_dir(place).stdin(Stdio::null());
    command
}

/// Reads until an event comes.
fn event(told: &mut impl BufRead, name: &str) -> Value {
    let mut line = String::new();
    loop {
        line.clear();
        assert!(told.read_line(&mut line).expect("it can be read") > 0, "it ended before {name}");
        let event: Value = serde_json::from_str(&line).expect("events are JSON");
        if event["event"] == name {
            return event;
        }
        assert_ne!(event["event"], "error", "{event}");
    }
}

/// `nginx` serves, `curl` fetches: 8 files at a time, if there are many.
struct Nginx {
    _server: Server,
    place: PathBuf,
    origin: String,
    tls: bool,
}

impl Nginx {
    fn start(place: &Path, tls: bool) -> Option<Self> {
        there_is("curl", "--version")?;
        let nginx = ["nginx", "/usr/sbin/nginx"].into_iter().find(|nginx| there_is(nginx, "-v").is_some())?;
        let (port, home) = (free_port(), place.join(if tls { "https" } else { "http" }));
        fs::create_dir(&home).expect("a folder for it");
        if tls {
            certificate(&home)?;
        }
        let (listen, certificate) = match tls {
            false => (format!("listen 127.0.0.1:{port};"), ""),
            true => (
                format!("listen 127.0.0.1:{port} ssl;"),
                "ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;",
            ),
        };
        let config = format!(
            "daemon off; worker_processes 2; pid nginx.pid; error_log stderr;\n\
             events {{ worker_connections 256; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 1000000;\n\
             client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n\
             server {{ {listen} {certificate} root {}; }} }}\n",
            place.display()
        );
        fs::write(home.join("nginx.conf"), config).expect("the folder can be written");
        let mut serve = Command::new(nginx);
        serve.arg("-p").arg(&home).args(["-c", "nginx.conf", "-e", "stderr"]).stderr(Stdio::null());
        let server = Server(serve.spawn().ok()?);
        answers(port);
        let scheme = if tls { "https" } else { "http" };
        let origin = format!("{scheme}://127.0.0.1:{port}");
        Some(Self { _server: server, place: place.to_owned(), origin, tls })
    }
}

impl Way for Nginx {
    fn name(&self) -> &'static str {
        if self.tls { "nginx, curl (https)" } else { "nginx, curl (http)" }
    }

    fn go(&mut self, name: &str, target: &Path) {
        let list = target.join("list");
        let mut urls = File::create(&list).expect("the folder can be written");
        let mut fetched = |name: &str| {
            let (url, to) = (format!("{}/{name}", self.origin), target.join(name));
            writeln!(urls, "url = \"{url}\"\noutput = \"{}\"", to.display()).expect("there is room");
        };
        if self.place.join(name).is_dir() {
            fs::create_dir(target.join(name)).expect("a folder");
            for file in fs::read_dir(self.place.join(name)).expect("it is there") {
                fetched(&format!("{name}/{}", file.expect("a file").file_name().to_string_lossy()));
            }
        } else {
            fetched(name);
        }
        let mut curl = Command::new("curl");
        curl.args(["-s", "-f", "-k", "-Z", "--parallel-max", "8", "-K"]).arg(&list);
        assert!(curl.status().expect("it is there").success());
    }
}

/// A key and a certificate for it.
fn certificate(home: &Path) -> Option<()> {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]);
    openssl.args(["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"]);
    let made = openssl.current_dir(home).stderr(Stdio::null()).status().ok()?;
    made.success().then_some(())
}

/// `wormhole send` and `wormhole receive`, with a mailbox server that is there already, and no relay.
struct Wormhole {
    _mailbox: Server,
    relay: String,
    place: PathBuf,
    sent: u32,
}

impl Wormhole {
    fn start(place: &Path) -> Option<Self> {
        there_is("wormhole", "--version")?;
        let (port, home) = (free_port(), place.join("mailbox"));
        fs::create_dir(&home).expect("a folder for it");
        let mut twist = Command::new("twist");
        twist.args(["wormhole-mailbox", &format!("--port=tcp:{port}:interface=127.0.0.1")]).current_dir(home);
        let mailbox = Server(twist.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?);
        answers(port);
        let relay = format!("ws://127.0.0.1:{port}/v1");
        Some(Self { _mailbox: mailbox, relay, place: place.to_owned(), sent: 0 })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("wormhole");
        command.args(["--relay-url", &self.relay, "--transit-helper", "tcp:127.0.0.1:9"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Way for Wormhole {
    fn name(&self) -> &'static str {
        "wormhole send, wormhole receive"
    }

    fn go(&mut self, name: &str, target: &Path) {
        self.sent += 1;
        let code = format!("{}-crossover-clockwork", self.sent);
        let mut send = self.command();
        send.args(["send", "--hide-progress", "--no-qr", "--code", &code]).arg(self.place.join(name));
        let mut send = send.spawn().expect("it is there");
        let mut receive = self.command();
        receive.args(["receive", "--accept-file", "--hide-progress", &code]).current_dir(target);
        assert!(receive.status().expect("it is there").success());
        assert!(send.wait().expect("it ends").success());
    }
}

fn there_is(program: &str, argument: &str) -> Option<()> {
    let tried = Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.ok()?.success().then_some(())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until something listens there.
fn answers(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nothing listens on port {port}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn make_files(place: &Path, mib: usize, files: usize) {
    let mut bytes = blake3::Hasher::new().update(b"bench").finalize_xof();
    let mut big = File::create(place.join("big.bin")).expect("the folder can be written");
    let mut block = vec![0; 1 << 20];
    for _ in 0..mib {
        bytes.fill(&mut block);
        big.write_all(&block).expect("there is room");
    }
    fs::create_dir(place.join("small")).expect("the folder can be written");
    for file in 0..files {
        bytes.fill(&mut block[..SMALL]);
        fs::write(place.join(format!("small/{file:06}.bin")), &block[..SMALL]).expect("there is room");
    }
}

/// The number of files, and of the bytes in them.
fn count(path: &Path) -> (usize, u64) {
    if !path.is_dir() {
        return (1, fs::metadata(path).map_or(0, |data| data.len()));
    }
    let sizes = fs::read_dir(path).expect("it is there").map(|file| file.and_then(|file| file.metadata()));
    let sizes: Vec<u64> = sizes.map(|data| data.map_or(0, |data| data.len())).collect();
    (sizes.len(), sizes.iter().sum())
}
