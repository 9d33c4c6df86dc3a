//! The places of sends that are under way at once, and who may have one.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// Sends under way. One that ends leaves its place free at once, whatever the others do.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    sending: JoinSet<()>,
    /// Whose each send is.
    accounts: HashMap<Id, String>,
}

impl Places {
    /// So many free places.
    pub(super) fn new(all: usize) -> Self {
        Self { all, sending: JoinSet::new(), accounts: HashMap::new() }
    }

    /// How many are free.
    pub(super) fn free(&self) -> usize {
        self.all.saturating_sub(self.accounts.len())
    }

    /// How many places each of these accounts may take now; those that come first are served first, and one that gets none is
    /// not named. An account may take a place while it holds fewer than are free: alone it comes to hold half of them, and what
    /// hangs can never hold them all while there is another account to serve.
    pub(super) fn share<'a>(&self, accounts: impl Iterator<Item = &'a str>) -> Vec<(String, usize)> {
        let mut free = self.free();
        accounts
            .filter_map(|account| {
                let held = self.accounts.values().filter(|holder| *holder == account).count();
                let mut share = 0;
                while held + share < free {
                    share += 1;
                    free -= 1;
                }
                (share > 0).then(|| (account.to_owned(), share))
            })
            .collect()
    }

    /// Lets a send take a place of its account.
    pub(super) fn take(&mut self, account: String, send: impl Future<Output = ()> + Send + 'static) {
        let task = self.sending.spawn(send);
        self.accounts.insert(task.id(), account);
    }

    /// Frees the places of sends that have ended.
    pub(super) fn clear(&mut self) {
        while let Some(ended) = self.sending.try_join_next_with_id() {
            self.freed(ended);
        }
    }

    /// Waits until a send ends; for ever while none is under way. Safe to be dropped while it waits.
    pub(super) async fn one_freed(&mut self) {
        match self.sending.join_next_with_id().await {
            Some(ended) => self.freed(ended),
            None => std::future::pending().await,
        }
    }

    /// Waits until every send has ended.
    pub(super) async fn finish(mut self) {
        while self.sending.join_next().await.is_some() {}
    }

    fn freed(&mut self, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                // Its attempt stays open, so that the end of its lease makes it uncertain.
                tracing::error!(%error, "a send broke off");
                error.id()
            }
        };
        self.accounts.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn shares(places: &Places, accounts: &[&str]) -> Vec<(String, usize)> {
        places.share(accounts.iter().copied())
    }

    #[tokio::test]
    async fn accounts_that_hang_leave_places_for_others() {
        let mut places = Places::new(8);
        let mut taken = Vec::new();
        for account in ["a", "b", "c", "d"] {
            // Whatever an account may have, it takes, and none of its sends ends.
            while let Some((_, share)) = shares(&places, &[account]).pop() {
                for _ in 0..share {
                    places.take(account.to_owned(), std::future::pending());
                }
            }
            taken.push(places.accounts.values().filter(|holder| *holder == account).count());
        }
        assert_eq!((taken, places.free()), (vec![4, 2, 1, 1], 0));
    }

    #[tokio::test]
    async fn an_account_alone_gets_a_place_however_few_there_are() {
        for (all, expected) in [(1, 1), (2, 1), (3, 2), (8, 4), (16, 8)] {
            assert_eq!(shares(&Places::new(all), &["a"]), [("a".to_owned(), expected)], "{all}");
        }
    }

    #[tokio::test]
    async fn a_place_is_free_when_its_send_ends_or_breaks_off() {
        let mut places = Places::new(4);
        let (end, ended) = oneshot::channel::<()>();
        places.take("a".to_owned(), std::future::pending());
        places.take("a".to_owned(), async { drop(ended.await) });
        places.take("a".to_owned(), async { panic!("on purpose") });
        places.one_freed().await;
        assert_eq!((places.free(), shares(&places, &["a"])), (2, Vec::new()), "two of four are held");
        end.send(()).expect("it waits");
        places.one_freed().await;
        assert_eq!((places.free(), shares(&places, &["a", "b"])), (3, vec![("a".to_owned(), 1), ("b".to_owned(), 1)]));
    }
}
