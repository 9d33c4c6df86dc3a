//! Who uses a data folder: one process at a time, known by a lock on a file that the system releases when the process ends.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::net::SocketAddr;

use crate::config::Storage;
use crate::private;

/// The lock of a data folder, held until dropped.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

/// Who holds the lock of a data folder.
#[derive(Debug)]
pub enum Holder {
    /// Nobody else: here it is.
    Us(DataLock),
    /// A running hub at this address.
    Hub(SocketAddr),
    /// Another command, or a hub that is just starting.
    Other,
}

impl DataLock {
    /// Takes the lock of a data folder, which is made if it is missing, or tells who holds it.
    ///
    /// # Errors
    /// When the folder or the lock file cannot be made.
    pub fn take(storage: &Storage) -> io::Result<Holder> {
        private::make_folder(&storage.data)?;
        let mut file =
            private::options().read(true).write(true).create(true).truncate(false).open(storage.lock_file())?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0)?;
                Ok(Holder::Us(Self { file }))
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text)?;
                Ok(text.trim().parse().map_or(Holder::Other, Holder::Hub))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Writes down where the hub that holds the lock can be reached.
    ///
    /// # Errors
    /// Any failure of the file system.
    pub fn announce(&mut self, address: SocketAddr) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        writeln!(self.file, "{address}")?;
        self.file.flush()
    }
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // What is left when this fails is a stale address, which the lock's absence disproves.
        drop(self.file.set_len(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_the_lock_and_others_learn_where_the_hub_is() {
        let folder = tempfile::tempdir().expect("folder");
        let layers = {
            let mut layers = crate::config::Layers::defaults();
            let path = folder.path().join("new").to_string_lossy().into_owned();
            layers.set(&["storage", "data"], toml::Value::String(path), crate::config::Origin::Flag("--data"));
            layers
        };
        let storage = crate::config::Config::read(layers, true).expect("config").storage;
        let Ok(Holder::Us(mut lock)) = DataLock::take(&storage) else { panic!("not taken") };
        assert!(matches!(DataLock::take(&storage), Ok(Holder::Other)));
        let address: SocketAddr = "127.0.0.1:8080".parse().expect("address");
        lock.announce(address).expect("announced");
        assert!(matches!(DataLock::take(&storage), Ok(Holder::Hub(there)) if there == address));
        drop(lock);
        assert!(matches!(DataLock::take(&storage), Ok(Holder::Us(_))), "the old address is forgotten");
    }
}
