//! A throw-away PostgreSQL server, in a folder that goes with it. Tests and examples start one each.
//!
//! The server's programs are looked for in `PATH` and where Debian keeps them. It listens on a Unix socket in its folder and
//! nowhere else, so no port has to be free. It refuses to run as root: started by root, it runs as the user `postgres`.
//!
//! *Invariant:* nothing is left behind. A shell stands between: it stops the server and removes the folder when its input ends,
//! and that ends with this process, however it ends.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fmt, fs, io};

use tokio_postgres::Config;

/// A running server, or one that was stopped. Removed when dropped.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    keeper: Keeper,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Ends all connections, and writes everything down.
    Fast,
    /// As if it had crashed.
    Immediate,
}

/// Why there is no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoCluster {
    /// This machine lacks what it takes.
    Missing(String),
    /// It did not start.
    Broken(String),
}

/// The shell that owns the server.
#[derive(Debug)]
struct Keeper {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Cluster {
    /// Makes a server and starts it, with these lines added to its configuration.
    ///
    /// Everybody may log in without a password as whom they like, but for members of a role called `guarded`.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn start(settings: &[&str]) -> Result<Self, NoCluster> {
        let programs = programs().ok_or_else(|| NoCluster::Missing(PROGRAMS_MISSING.to_owned()))?;
        let user = User::suitable().map_err(NoCluster::Missing)?;
        let mut cluster =
            Self::found(&programs, &user).map_err(|error| NoCluster::Broken(error.to_string()))?;
        cluster.begin(settings).map_err(NoCluster::Broken)?;
        Ok(cluster)
    }

    /// How to reach it.
    #[must_use]
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).user("postgres").dbname("postgres");
        config
    }

    /// How to reach it, for humans and programs.
    #[must_use]
    pub fn url(&self) -> String {
        let folder = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://postgres@{folder}/postgres")
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops it, and waits until it is down.
    ///
    /// # Errors
    ///
    /// What its log says if it does not stop.
    pub fn stop(&mut self, how: Stop) -> Result<(), String> {
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        self.order(mode, LOG)
    }

    /// Starts it again, and waits until it takes connections.
    ///
    /// # Errors
    ///
    /// What its log says if it does not start.
    pub fn resume(&mut self) -> Result<(), String> {
        self.order("start", LOG)
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join(LOG)).unwrap_or_default()
    }

    fn found(programs: &Path, user: &User) -> io::Result<Self> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            env::temp_dir().join(format!("millpond-postgres-{}-{number}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&folder)?;
        if let User::Other { id, .. } = user {
            chown(&folder, Some(*id), None)?;
        }
        let keeper = Keeper::start(&folder, programs, user)?;
        Ok(Self { folder, keeper })
    }

    fn begin(&mut self, settings: &[&str]) -> Result<(), String> {
        self.order("init", "initdb.log")?;
        self.configure(settings).map_err(|error| error.to_string())?;
        self.resume()
    }

    fn configure(&self, settings: &[&str]) -> io::Result<()> {
        let data = self.folder.join("data");
        let mut file = fs::OpenOptions::new().append(true).open(data.join("postgresql.conf"))?;
        let folder = self.folder.display();
        writeln!(file, "unix_socket_directories = '{folder}'\n{SETTINGS}")?;
        for setting in settings {
            writeln!(file, "{setting}")?;
        }
        fs::write(data.join("pg_hba.conf"), ADMISSION)
    }

    fn order(&mut self, order: &str, log: &str) -> Result<(), String> {
        match self.keeper.order(order) {
            Ok(true) => Ok(()),
            Ok(false) => {
                let log = fs::read_to_string(self.folder.join(log)).unwrap_or_default();
                Err(format!("PostgreSQL could not obey `{order}`: {}", log.trim_end()))
            }
            Err(error) => Err(format!("PostgreSQL could not be told to {order}: {error}")),
        }
    }
}

impl Keeper {
    fn start(folder: &Path, programs: &Path, user: &User) -> io::Result<Self> {
        let mut command = user.shell();
        command.args(["-c", SCRIPT, "sh"]).args([folder, programs]).current_dir(folder);
        // Whoever kills a group of processes to end this one must not kill the shell that cleans up after it.
        command.process_group(0).env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn()?;
        let answers = shell.stdout.take().map(BufReader::new).expect("its output is a pipe");
        let orders = shell.stdin.take();
        Ok(Self { shell, orders, answers })
    }

    /// Says whether it was obeyed.
    fn order(&mut self, order: &str) -> io::Result<bool> {
        writeln!(self.orders.as_mut().expect("it takes orders until it is dropped"), "{order}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim() == "0")
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.orders = None;
        // It cleans up; if it cannot, nobody can.
        let _ = self.shell.wait();
    }
}

/// The folder with the server's programs.
fn programs() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    // The newest first, by number: 15 comes before 9.6.
    installed.sort_by_key(|path| {
        let version = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        std::cmp::Reverse(version.split('.').next().and_then(|number| number.parse::<u32>().ok()))
    });
    let has_all = |path: &PathBuf| PROGRAMS.iter().all(|name| path.join(name).is_file());
    env::split_paths(&path).chain(installed).find(has_all)
}

/// Who runs the server: it refuses to run as root.
enum User {
    Myself,
    Other { id: u32, by: &'static [&'static str] },
}

impl User {
    fn suitable() -> Result<Self, String> {
        if id(&[]) != Some(0) {
            return Ok(Self::Myself);
        }
        let id = id(&["postgres"])
            .ok_or("PostgreSQL refuses to run as root, and there is no user `postgres`")?;
        let works = |by: &&[&str]| {
            let mut command = Command::new(by[0]);
            command.args(&by[1..]).arg("true").stdin(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let by = SWITCHES.iter().copied().find(works);
        let by = by
            .ok_or("PostgreSQL refuses to run as root, and there is neither setpriv nor runuser")?;
        Ok(Self::Other { id, by })
    }

    fn shell(&self) -> Command {
        match self {
            Self::Myself => Command::new("sh"),
            Self::Other { by, .. } => {
                let mut command = Command::new(by[0]);
                command.args(&by[1..]).arg("sh");
                command
            }
        }
    }
}

impl fmt::Display for NoCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => f.write_str(what),
            Self::Broken(why) => write!(f, "PostgreSQL did not start: {why}"),
        }
    }
}

impl Error for NoCluster {}

/// The number of a user, by default of this one.
fn id(user: &[&str]) -> Option<u32> {
    let output = Command::new("id").arg("-u").args(user).stderr(Stdio::null()).output().ok()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().ok()
}

/// How root runs something as `postgres`.
const SWITCHES: &[&[&str]] = &[
    &["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"],
    &["runuser", "-u", "postgres", "--"],
];

const PROGRAMS_MISSING: &str =
    "PostgreSQL's server programs (initdb, pg_ctl, postgres) are not installed";
const PROGRAMS: [&str; 3] = ["initdb", "pg_ctl", "postgres"];
const LOG: &str = "server.log";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Reads orders, answers each with its exit status, and cleans up when there are no more. An answer that nobody reads any more
/// must not be the end of it.
const SCRIPT: &str = r#"
trap '' PIPE
PATH="$2:$PATH"
while read -r order; do
    case $order in
    init) initdb -D data -U postgres -A trust -E UTF8 --locale=C -N --wal-segsize=1 >initdb.log 2>&1 ;;
    start) pg_ctl start -w -D data -l server.log >/dev/null 2>&1 ;;
    *) pg_ctl stop -w -D data -m "$order" >/dev/null 2>&1 ;;
    esac </dev/null
    echo $?
done
pg_ctl stop -w -D data -m immediate </dev/null >/dev/null 2>&1
cd /
rm -rf "$1"
"#;

/// Nothing is to survive a crash, so nothing is synced; every login is logged, with its time and its application.
const SETTINGS: &str = "\
listen_addresses = ''
fsync = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
shared_buffers = 16MB
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %q%u %a '
";

const ADMISSION: &str = "\
local all +guarded scram-sha-256
local all all trust
host all all all trust
";
