//! Hashes passwords, and checks them on threads.
//!
//! A check costs the same whether the name exists or not. At most two run at once, since each takes 19 MiB and some ten
//! milliseconds of a processor. Each thread allocates this memory at its first check and keeps it: the allocator does
//! not return it to the system, so allocating it for each check would make the hub grow.
//!
//! The hub's driver submits the logins that its machine wants checked, and passes the results back to the machine.
//! `potluck user` hashes new passwords here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::core::hub::Verified;
use crate::io::os::clock::random_bytes;
use crate::io::store::{Reader, Store};
use crate::protocol::Failure;
use crate::protocol::limits::LOGINS_WAITING;
use crate::protocol::name::NameKey;
use crate::protocol::types::Password;

/// Memory of one hash, in KiB. This and the next two are OWASP's recommendation for argon2id.
const MEMORY: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The length of a hash in bytes.
const OUTPUT: usize = 32;

/// Checks that run at once.
const WORKERS: usize = 2;

/// The length of a salt in bytes.
const SALT: usize = 16;

/// The salt for names without an account, so that their check takes as long.
const NO_SALT: [u8; SALT] = *b"no account here!";

/// Called with the result of each attempt: its number, and the account if the password is right.
pub type Checked = Box<dyn Fn(u64, Option<Verified>) + Send + Sync>;

/// A login whose password must be checked.
#[derive(Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The number of the attempt.
    pub number: u64,
    /// The name of the account, which may not exist.
    pub name_key: NameKey,
    /// The password to check.
    pub password: Password,
}

/// Why an attempt was not accepted. It holds the attempt.
#[derive(Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// [`LOGINS_WAITING`] attempts are waiting.
    Full(Attempt),
    /// The threads have ended.
    Stopped(Attempt),
}

/// Hashes a password with argon2id and a new random salt; returns a PHC string.
///
/// # Errors
/// `bad-config` for an empty password, or too long a one; `internal` when the system has no
/// random numbers or no memory.
pub fn hash(password: &Password) -> Result<String, Failure> {
    password.check()?;
    let salt: [u8; SALT] = random_bytes().map_err(Failure::internal)?;
    let hash = hasher().hash_password_with_salt(password.0.as_bytes(), &salt).map_err(Failure::internal)?;
    Ok(hash.to_string())
}

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY, PASSES, LANES, Some(OUTPUT)).expect("the parameters are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The salt and the output in a PHC string of [`hash`]. `None` for any other string, whose check could cost any time
/// and memory.
fn parts(hash: &str) -> Option<(Vec<u8>, Output)> {
    let parsed = PasswordHash::new(hash).ok()?;
    let params = Params::try_from(&parsed).ok()?;
    let same = parsed.algorithm == Algorithm::Argon2id.ident()
        && parsed.version == Some(Version::V0x13.into())
        && (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY, PASSES, LANES);
    let (salt, output) = (parsed.salt?, parsed.hash?);
    (same && output.len() == OUTPUT && salt.len() == SALT).then(|| (salt.to_vec(), output))
}

/// The memory in which a thread checks one password after the other.
#[derive(Default)]
struct Memory(Vec<Block>);

impl Memory {
    /// All of the memory; `None` if the system has no more.
    fn blocks(&mut self, count: usize) -> Option<&mut [Block]> {
        self.0.try_reserve_exact(count.saturating_sub(self.0.len())).ok()?;
        self.0.resize(count, Block::new());
        Some(&mut self.0)
    }
}

/// Whether the password has this hash. It takes the same time for every hash, and for none.
fn verify(password: &Password, hash: Option<&str>, memory: &mut Memory) -> bool {
    let (salt, expected) = match hash.and_then(parts) {
        Some((salt, expected)) => (salt, Some(expected)),
        None => (NO_SALT.to_vec(), None),
    };
    let mut output = [0; OUTPUT];
    let hasher = hasher();
    let Some(blocks) = memory.blocks(hasher.params().block_count()) else { return false };
    let hashed = hasher.hash_password_into_with_memory(password.0.as_bytes(), &salt, &mut output, blocks);
    // The comparison takes the same time wherever the two differ.
    hashed.is_ok() && Output::new(&output).is_ok_and(|output| expected == Some(output))
}

/// Threads that check passwords. When it is dropped, they finish their present checks; waiting attempts are dropped.
pub struct Checker {
    attempts: Option<SyncSender<Waiting>>,
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// A waiting attempt. A password that is too long is not kept.
type Waiting = (u64, NameKey, Option<Password>);

impl Checker {
    /// Starts the threads. Each reads the accounts through a connection of its own; a store in memory has no accounts.
    /// `checked` is called on these threads.
    ///
    /// # Errors
    /// `store-failed` if the store cannot be opened for reading, `internal` if no thread can be started.
    pub fn spawn(store: &Store, checked: Checked) -> Result<Self, Failure> {
        let (attempts, waiting) = sync_channel(LOGINS_WAITING);
        let (waiting, checked) = (Arc::new(Mutex::new(waiting)), Arc::new(checked));
        let mut this = Self { attempts: Some(attempts), ending: Arc::default(), threads: Vec::new() };
        for _ in 0..WORKERS {
            let (reader, waiting, checked) = (store.reader()?, Arc::clone(&waiting), Arc::clone(&checked));
            let ending = Arc::clone(&this.ending);
            let work = move || check_all(reader.as_ref(), &waiting, &ending, &checked);
            let thread = std::thread::Builder::new().name("passwords".into()).spawn(work);
            this.threads.push(thread.map_err(Failure::internal)?);
        }
        Ok(this)
    }

    /// Queues an attempt. Never blocks.
    ///
    /// # Errors
    /// Returns the attempt if the queue is full or the threads have ended.
    pub fn submit(&self, attempt: Attempt) -> Result<(), NotTaken> {
        let Some(attempts) = &self.attempts else { return Err(NotTaken::Stopped(attempt)) };
        let Attempt { number, name_key, password } = attempt;
        // What is too long is no account's password, and is not kept while it waits to be refused.
        let password = password.check().is_ok().then_some(password);
        let back = |(number, name_key, password): Waiting| Attempt {
            number,
            name_key,
            password: password.unwrap_or_else(|| Password(String::new())),
        };
        attempts.try_send((number, name_key, password)).map_err(|e| match e {
            TrySendError::Full(waiting) => NotTaken::Full(back(waiting)),
            TrySendError::Disconnected(waiting) => NotTaken::Stopped(back(waiting)),
        })
    }

    /// Ends the threads, and waits until they have ended. Waiting attempts are not checked.
    pub fn close(mut self) {
        self.end_threads();
        for thread in self.threads.drain(..) {
            // The panic has been printed already.
            let _ = thread.join();
        }
    }

    fn end_threads(&mut self) {
        self.ending.store(true, Ordering::Release);
        self.attempts = None;
    }
}

impl Drop for Checker {
    fn drop(&mut self) {
        self.end_threads();
    }
}

fn check_all(reader: Option<&Reader>, waiting: &Mutex<Receiver<Waiting>>, ending: &AtomicBool, checked: &Checked) {
    let mut memory = Memory::default();
    loop {
        // One thread waits for the queue, the other for the lock.
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, name_key, password)) = next else { return };
        if ending.load(Ordering::Acquire) {
            return;
        }
        checked(number, password.and_then(|password| check(reader, &name_key, &password, &mut memory)));
    }
}

/// A store that cannot be read has no accounts. The thread that writes will notice and report it.
fn check(reader: Option<&Reader>, name_key: &NameKey, password: &Password, memory: &mut Memory) -> Option<Verified> {
    let found = reader.and_then(|reader| reader.account(name_key).ok()).flatten();
    let right = verify(password, found.as_ref().map(|(_, hash)| hash.as_str()), memory);
    found.filter(|_| right).map(|(account, _)| account)
}

#[cfg(test)]
#[path = "passwords_tests.rs"]
mod tests;
