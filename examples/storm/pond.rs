//! What a storm asks of the database behind the pool, and the books by which it is checked. `sqlite` and `postgres` are two.

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use millpond::Manager;

use crate::schedule::mix;

/// A database that serves requests through the resources of a pool.
pub(crate) trait Pond: Send + Sync + 'static {
    type Manager: Manager;

    /// What people call it.
    fn name(&self) -> String;

    /// What opens connections to it.
    fn manager(&self) -> Self::Manager;

    /// Serves one request: an update, an insert and a read in one transaction, and then a slow query, for what is left of the
    /// hold, so that what the connections can do does not depend on the machine.
    fn serve(
        &self,
        resource: &mut <Self::Manager as Manager>::Resource,
        request: u64,
    ) -> impl Future<Output = Result<(), Cause>> + Send;

    /// Keeps everybody from writing for `pause`. `on_edge` is called when that has begun, and when it is over.
    fn stall(
        &self,
        pause: Duration,
        on_edge: impl FnMut() + Send + 'static,
    ) -> impl Future<Output = Result<(), Cause>> + Send;

    /// What the database says has been done.
    fn audit(&self) -> impl Future<Output = Result<Books, Cause>> + Send;

    /// How many connections were open at once, at most, and how many are now.
    fn connections(&self) -> (usize, usize);
}

pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// What has been done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Books {
    /// Requests in the ledger, where each can be but once.
    pub(crate) requests: u64,
    /// The wrapping sum of their mixtures.
    pub(crate) checksum: u64,
    /// Accounts whose count is not the number of their requests in the ledger.
    pub(crate) wrong_accounts: u64,
}

impl Books {
    /// Reads a ledger (requests and their accounts) and the accounts (numbers and their counts).
    pub(crate) fn read(ledger: &[(i64, i64)], accounts: &[(i64, i64)]) -> Self {
        let mut books = Self::default();
        let mut hits = vec![0_i64; ACCOUNTS as usize];
        for &(request, at) in ledger {
            books.enter(request as u64);
            // A request booked elsewhere than it should be shows in two accounts.
            if at == account(request as u64) {
                hits[at as usize] += 1;
            }
        }
        for &(id, counted) in accounts {
            books.wrong_accounts += u64::from(hits.get(id as usize) != Some(&counted));
        }
        books
    }

    /// Counts one request.
    pub(crate) fn enter(&mut self, request: u64) {
        self.requests += 1;
        self.checksum = self.checksum.wrapping_add(mix(request));
    }
}

/// Which account a request is about.
pub(crate) fn account(request: u64) -> i64 {
    (mix(request) % ACCOUNTS) as i64
}

pub(crate) const ACCOUNTS: u64 = 1000;
