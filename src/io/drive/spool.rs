//! Keeps everything that comes on a stream in a private temporary file, until it has been sent.

use std::fs::OpenOptions;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::io::fs::temporary::{self, TemporaryDir};
use crate::io::os::signals::{OnHangup, Signals};
use crate::protocol::{ErrorCode, Failure, cause};

/// How much is read at a time, in bytes.
const BUFFER: usize = 256 << 10;

/// What came on a stream. It is removed when this is dropped.
#[derive(Debug)]
pub struct Spooled {
    dir: TemporaryDir,
    /// How many bytes came.
    pub bytes: u64,
}

impl Spooled {
    /// Reads a stream to its end. A signal meanwhile ends the program, and nothing is left behind.
    ///
    /// # Errors
    /// `disk-full`, `not-writable`; `not-readable` if the stream cannot be read.
    pub fn read(stream: &mut impl Read) -> Result<Self, Failure> {
        let dir = TemporaryDir::create().map_err(|e| unkept(&e))?;
        let left = dir.path().to_owned();
        let _signals = Signals::install(OnHangup::Ends, move |signal| {
            let _ = std::fs::remove_dir_all(&left);
            std::process::exit(signal.exit().into());
        })
        .map_err(Failure::internal)?;
        let mut spooled = Self { dir, bytes: 0 };
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(spooled.path());
        let (mut file, mut buffer) = (file.map_err(|e| unkept(&e))?, vec![0; BUFFER]);
        loop {
            let read = match stream.read(&mut buffer) {
                Ok(0) => return Ok(spooled),
                Ok(read) => read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => {
                    let message = format!("Standard input cannot be read: {}.", cause::of_io(&e));
                    return Err(Failure::new(ErrorCode::NotReadable, message));
                }
            };
            file.write_all(&buffer[..read]).map_err(|e| unkept(&e))?;
            spooled.bytes += read as u64;
        }
    }

    /// The file.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("stream")
    }
}

/// A temporary folder for what is fetched only to be passed on.
#[derive(Debug)]
pub struct Passage(TemporaryDir);

impl Passage {
    /// Makes one. It is removed when this is dropped.
    ///
    /// # Errors
    /// `disk-full`, `not-writable`.
    pub fn open() -> Result<Self, Failure> {
        TemporaryDir::create().map(Self).map_err(|e| unkept(&e))
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

fn unkept(e: &io::Error) -> Failure {
    temporary::unkept("The stream cannot be kept in a temporary file", e)
}
