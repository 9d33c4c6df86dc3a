//! Moves what was committed out of SQLite's write-ahead log into the database file, beside the writer.
//!
//! SQLite by itself does that within a commit, which then takes ten times as long as others while everybody waits. Here a
//! thread copies as the writer goes on, and the writer copies only what came meanwhile; the next commit begins the log anew
//! (<https://sqlite.org/wal.html#ckpt>).

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::Error;

thread_local! {
    /// Pages in the log after the last commit of this thread.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// Pages in the log that call for a checkpoint: 64 MiB, so that what changes again and again is copied once.
pub(super) const MOST: i32 = 16_000;

/// Most that the thread does before it gives the rest to the writer.
const PASSES: usize = 8;

/// So many times [`MOST`], and the writer waits no longer for the thread.
const PATIENCE: i32 = 4;

/// Notes the length of the log at each commit of this connection, instead of SQLite's own checkpoints.
pub(super) fn measure(conn: &Connection) {
    conn.wal_hook(Some(|_, pages| {
        PAGES.set(pages);
        Ok(())
    }));
}

/// Belongs to the thread of the one writing connection.
pub(super) struct Checkpointer {
    most: i32,
    thread: Option<(SyncSender<()>, JoinHandle<()>)>,
    /// Whether the thread is through with what it was called for.
    copied: Arc<AtomicBool>,
    is_called: bool,
    /// How long the log was when all of it had been copied. Readers may keep it from beginning anew.
    done: i32,
}

impl Checkpointer {
    /// Starts the thread on a connection of its own; `most` is [`MOST`]. Without either the writer does all by itself.
    pub(super) fn start(path: &Path, most: i32) -> Self {
        let (caller, calls) = sync_channel(1);
        let copied = Arc::new(AtomicBool::new(false));
        let (path, flag) = (path.to_owned(), Arc::clone(&copied));
        let work = move || {
            let Ok(conn) = super::embedded::open(&path, 0) else { return };
            while let Ok(()) = calls.recv() {
                // What comes meanwhile is less each time, until all is copied and SQLite syncs the file: then little is left to the writer.
                let _ = (0..PASSES).any(|_| copy(&conn));
                flag.store(true, Ordering::Release);
            }
        };
        let thread = std::thread::Builder::new().name("yingda-copier".to_owned()).spawn(work).ok();
        Self { most, thread: thread.map(|thread| (caller, thread)), copied, is_called: false, done: 0 }
    }

    /// To be called between transactions.
    pub(super) fn after_commit(&mut self, conn: &Connection) {
        let pages = PAGES.get();
        if pages < self.done {
            self.done = 0;
        }
        let new = pages - self.done;
        if self.is_called {
            if self.copied.swap(false, Ordering::AcqRel) || new >= self.most * PATIENCE {
                copy(conn);
                (self.is_called, self.done) = (false, pages);
            }
        } else if new >= self.most {
            self.is_called = self.thread.as_ref().is_some_and(|(caller, _)| caller.try_send(()).is_ok());
            if !self.is_called {
                copy(conn);
                self.done = pages;
            }
        }
    }
}

impl Drop for Checkpointer {
    /// Waits for the thread, so that its connection is closed before the writer's.
    fn drop(&mut self) {
        if let Some((caller, thread)) = self.thread.take() {
            drop(caller);
            // It reports by itself; a panic there has lost nothing.
            let _ = thread.join();
        }
    }
}

/// Copies what readers allow without waiting for anybody, and says whether that was all there is.
fn copy(conn: &Connection) -> bool {
    let pages = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    match conn.query_row("pragma wal_checkpoint(passive)", [], pages) {
        Ok((log, copied)) => log == copied,
        Err(error) => {
            let error = Error::from(error);
            tracing::warn!(%error, "what was committed stays in the write-ahead log for now");
            true
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: i32 = 50;
    const PAGE: u64 = 4096 + 24;

    fn fill(conn: &Connection, checkpointer: &mut Checkpointer, rows: i64) {
        for _ in 0..rows {
            conn.execute("insert into heap values (zeroblob(5000))", []).expect("written");
            checkpointer.after_commit(conn);
        }
    }

    #[test]
    fn the_log_stays_short_and_what_was_written_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one.db");
        let conn = super::super::embedded::open(&path, 0).expect("opened");
        conn.execute_batch("create table heap (bytes blob)").expect("made");
        let mut checkpointer = Checkpointer::start(&path, FEW);
        let length = || std::fs::metadata(folder.path().join("one.db-wal")).map_or(0, |log| log.len());
        let bound = PAGE * u64::try_from(FEW * (PATIENCE + 1)).expect("a number");
        fill(&conn, &mut checkpointer, 1000);
        assert!((1..=bound).contains(&length()), "{} bytes", length());

        // A reader of an old state keeps the log from beginning anew, and nobody from writing.
        let reader = super::super::embedded::open(&path, 0).expect("opened");
        let count = || reader.query_row("select count(*) from heap", [], |row| row.get::<_, i64>(0)).expect("counted");
        reader.execute_batch("begin").expect("begun");
        assert_eq!(count(), 1000);
        fill(&conn, &mut checkpointer, 1000);
        assert_eq!(count(), 1000);
        assert!(length() > bound);
        reader.execute_batch("commit").expect("ended");
        // Bytes 12 to 15 of the log count how often it began (sqlite.org/fileformat2.html#walformat). How soon the thread gets
        // its turn is the machine's affair.
        let beginnings = || {
            let log = std::fs::read(folder.path().join("one.db-wal")).expect("a log");
            log.get(12..16).map(<[u8]>::to_vec)
        };
        let (before, mut rounds) = (beginnings(), 0);
        while beginnings() == before {
            rounds += 1;
            assert!(rounds <= 1000, "the log begins anew");
            fill(&conn, &mut checkpointer, 100);
        }
        assert_eq!(count(), 2000 + 100 * rounds);

        drop(reader);
        drop(checkpointer);
        drop(conn);
        assert_eq!(length(), 0, "the last one to close leaves no log");
    }

    #[test]
    fn without_its_thread_the_writer_copies() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("one.db");
        let conn = super::super::embedded::open(&path, 0).expect("opened");
        conn.execute_batch("create table heap (bytes blob)").expect("made");
        let mut checkpointer = Checkpointer::start(&folder.path().join("no/such.db"), FEW);
        fill(&conn, &mut checkpointer, 1000);
        let log = std::fs::metadata(folder.path().join("one.db-wal")).expect("a log").len();
        assert!(log <= PAGE * u64::try_from(FEW * (PATIENCE + 1)).expect("a number"), "{log} bytes");
    }
}
