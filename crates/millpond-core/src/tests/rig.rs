//! A core with its bits, its tasks and a clock, for tests to play on.

use std::time::{Duration, Instant};

use crate::io::{Action, GiveBack, Idle, Input, Job, Outcome, Refusal, Request, Why};
use crate::timers::TimerKey;
use crate::{Bits, Config, Core, Counts, Overload, SlotId, WaiterId};

/// What a caller is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Lent(u32),
    Queued(WaiterId),
    Refused(Refusal),
    Pending,
}

/// A pool without threads: it remembers what it was told to do and does it when the test says so.
pub(super) struct Rig {
    pub(super) core: Core,
    pub(super) bits: Bits,
    pub(super) now: Instant,
    /// Jobs whose `Ended` is owed, the oldest first.
    pub(super) jobs: Vec<(SlotId, Job)>,
    /// Everything the core wanted done, but starting.
    pub(super) log: Vec<Action>,
}

impl Rig {
    /// A pool with a driver, of so many resources at most.
    pub(super) fn new(max_size: u32) -> Self {
        Self::with(|config| config.max_size = max_size)
    }

    /// A pool with a driver and other settings than usual.
    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut rig = Self::without_driver(change);
        rig.feed(Input::DriverUp);
        rig
    }

    /// A pool with no driver.
    pub(super) fn without_driver(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        Self {
            core: Core::new(config),
            bits: Bits::default(),
            now: some_instant(),
            jobs: Vec::new(),
            log: Vec::new(),
        }
    }

    /// A pool in which `count` resources lie idle, all there may be.
    pub(super) fn filled(count: u32) -> Self {
        Self::filled_with(count, |_| {})
    }

    /// The same with other settings than usual.
    pub(super) fn filled_with(count: u32, change: impl FnOnce(&mut Config)) -> Self {
        let mut rig = Self::with(|config| {
            config.max_size = count;
            config.max_creating = count;
            change(config);
        });
        rig.fill(count);
        rig
    }

    /// A pool that sheds, whose only resource is lent and is known to be held for `hold`. Nobody waits.
    pub(super) fn strained(hold: Duration, change: impl FnOnce(&mut Config)) -> Self {
        let mut policy = Overload::Auto;
        let mut rig = Self::filled_with(1, |config| {
            (config.overload, config.watched) = (policy, true);
            change(config);
            // Policy begins to watch after this.
            policy = std::mem::replace(&mut config.overload, Overload::Fifo);
        });
        let lent = rig.lend();
        for _ in 0..40 {
            let next = rig.queue();
            rig.pass(hold);
            rig.home(lent);
            assert_eq!(rig.poll_lent(next), lent);
        }
        rig.core.config.overload = policy;
        assert_eq!(rig.core.hold().map(|hold| hold.mean), Some(hold));
        rig.log.clear();
        rig
    }

    /// Opens `count` resources, which then lie idle.
    pub(super) fn fill(&mut self, count: u32) {
        let waiters: Vec<_> = (0..count).map(|_| self.queue()).collect();
        self.run_jobs();
        let lent: Vec<_> = waiters.into_iter().map(|id| self.poll_lent(id)).collect();
        lent.into_iter().for_each(|slot| self.home(slot));
        assert_eq!(self.idle(), count);
        self.log.clear();
    }

    /// Feeds one input and notes what comes of it.
    pub(super) fn feed(&mut self, input: Input) -> Vec<Action> {
        let actions: Vec<_> = self.core.handle(input, self.now, &mut self.bits).collect();
        for action in &actions {
            match action {
                Action::Start(slot, job) => self.jobs.push((*slot, *job)),
                other => self.log.push(*other),
            }
        }
        actions
    }

    /// Lets time pass, as a driver sees it that sleeps until the next timeout each time.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.checked_add(time).expect("a test lasts less than the clock");
        while let Some(due) = self.core.next_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.feed(Input::Tick);
        }
        self.now = end;
    }

    /// Lets time pass without anybody looking at the timers.
    pub(super) fn skip(&mut self, time: Duration) {
        self.now += time;
    }

    pub(super) fn get(&mut self) -> Answer {
        self.ask(Request::default())
    }

    pub(super) fn get_within(&mut self, time: Duration) -> Answer {
        self.ask(Request::until(self.now.checked_add(time)))
    }

    pub(super) fn ask(&mut self, request: Request) -> Answer {
        let actions = self.feed(Input::Wait(request));
        answer(&actions)
    }

    /// A caller of a lane.
    pub(super) fn get_in(&mut self, lane: u32) -> Answer {
        self.ask(Request { lane, ..Request::default() })
    }

    /// A caller that has to queue.
    pub(super) fn queue(&mut self) -> WaiterId {
        self.get().queued()
    }

    /// So many callers that have to queue.
    pub(super) fn queue_many(&mut self, count: usize) -> Vec<WaiterId> {
        (0..count).map(|_| self.queue()).collect()
    }

    /// A caller that has to queue and will not do so for longer than `time`.
    pub(super) fn queue_within(&mut self, time: Duration) -> WaiterId {
        self.get_within(time).queued()
    }

    /// A caller at the desk that is served at once.
    pub(super) fn lend(&mut self) -> u32 {
        self.get().lent()
    }

    pub(super) fn try_get(&mut self) -> Answer {
        let actions = self.feed(Input::Try);
        answer(&actions)
    }

    pub(super) fn poll(&mut self, id: WaiterId) -> Answer {
        let actions = self.feed(Input::Claim(id));
        answer(&actions)
    }

    pub(super) fn poll_lent(&mut self, id: WaiterId) -> u32 {
        self.poll(id).lent()
    }

    pub(super) fn cancel(&mut self, id: WaiterId) {
        self.feed(Input::Cancel(id));
    }

    /// A borrower gives back: by its bit, or at the desk if that is attended.
    pub(super) fn home(&mut self, slot: u32) {
        self.bits.give_back(slot, self.now);
        if self.bits.attended {
            self.bits.claim(slot);
            self.give_back(slot, GiveBack::Unused);
        }
    }

    /// A borrower comes to the desk with what it gives back, as all do while it is attended.
    pub(super) fn bring(&mut self, slot: u32) {
        self.bits.give_back(slot, self.now);
        self.bits.claim(slot);
        self.give_back(slot, GiveBack::Unused);
    }

    pub(super) fn give_back(&mut self, slot: u32, how: GiveBack) {
        self.feed(Input::GiveBack(slot, how));
    }

    /// The oldest outstanding job of this kind that the core still counts on.
    pub(super) fn job(&self, job: Job) -> SlotId {
        self.jobs_of(job).into_iter().next().expect("a job of this kind is outstanding")
    }

    pub(super) fn jobs_of(&self, job: Job) -> Vec<SlotId> {
        let jobs = self.jobs.iter().filter(|(slot, kind)| *kind == job && self.core.expects(*slot));
        jobs.map(|(slot, _)| *slot).collect()
    }

    /// Says that the task of `slot` is about to start; whether it is to go ahead.
    pub(super) fn begin(&mut self, slot: SlotId) -> bool {
        self.feed(Input::Begin(slot)).contains(&Action::Proceed(slot))
    }

    pub(super) fn end(&mut self, slot: SlotId, outcome: Outcome) -> Vec<Action> {
        let place = self.jobs.iter().position(|(id, _)| *id == slot);
        self.jobs.remove(place.expect("a job ends once"));
        self.feed(Input::Ended(slot, outcome))
    }

    /// Begins and ends the oldest outstanding job of this kind.
    pub(super) fn finish(&mut self, job: Job, outcome: Outcome) -> SlotId {
        let slot = self.job(job);
        assert!(self.begin(slot), "{job:?} of {slot:?} is not wanted");
        self.end(slot, outcome);
        slot
    }

    /// Begins and ends the oldest outstanding creation.
    pub(super) fn create(&mut self) -> SlotId {
        self.finish(Job::Create, Outcome::Created)
    }

    /// Begins and fails the oldest outstanding creation.
    pub(super) fn fail(&mut self, transient: bool) -> SlotId {
        self.finish(Job::Create, Outcome::CreateFailed { transient })
    }

    /// Performs all outstanding jobs with success, in order, and those that follow from them.
    pub(super) fn run_jobs(&mut self) {
        while let Some((slot, job)) = self.jobs.first().copied() {
            let outcome = match job {
                _ if !self.begin(slot) => Outcome::Skipped,
                Job::Create => Outcome::Created,
                Job::Check | Job::Reset => Outcome::Fit,
                Job::Close => Outcome::Gone,
            };
            self.end(slot, outcome);
        }
    }

    /// Those woken since the log was cleared, in order.
    pub(super) fn woken(&self) -> Vec<WaiterId> {
        let wakes = self.log.iter().filter_map(|action| match action {
            Action::Wake(id) => Some(*id),
            _ => None,
        });
        wakes.collect()
    }

    pub(super) fn times(&self, action: Action) -> usize {
        self.log.iter().filter(|logged| **logged == action).count()
    }

    pub(super) fn counts(&self) -> Counts {
        self.core.counts()
    }

    pub(super) fn idle(&self) -> u32 {
        self.bits.count()
    }

    /// Whether a lane is overloaded.
    pub(super) fn is_overloaded(&self, lane: u32) -> bool {
        self.core.lane(lane).overloaded_since.is_some()
    }

    /// The pause that runs, or zero.
    pub(super) fn pause(&self) -> Duration {
        let end = self.core.timers.get(TimerKey::Backoff);
        end.map_or(Duration::ZERO, |end| end - self.now)
    }
}

impl Answer {
    #[track_caller]
    pub(super) fn queued(self) -> WaiterId {
        let Self::Queued(id) = self else { panic!("{self:?} instead of a place in the queue") };
        id
    }

    #[track_caller]
    pub(super) fn lent(self) -> u32 {
        let Self::Lent(slot) = self else { panic!("{self:?} instead of a resource") };
        slot
    }

    #[track_caller]
    pub(super) fn refused(self) -> Refusal {
        let Self::Refused(refusal) = self else { panic!("{self:?} instead of a refusal") };
        refusal
    }

    #[track_caller]
    pub(super) fn why(self) -> Why {
        self.refused().why
    }
}

/// What the caller of an input was told by its actions.
fn answer(actions: &[Action]) -> Answer {
    let mut answers = actions.iter().filter_map(|action| match action {
        Action::Lend(slot) => Some(Answer::Lent(slot.index())),
        Action::Queue(id) => Some(Answer::Queued(*id)),
        Action::Refuse(refusal) => Some(Answer::Refused(*refusal)),
        _ => None,
    });
    let answer = answers.next().unwrap_or(Answer::Pending);
    assert_eq!(answers.next(), None, "one answer is enough: {actions:?}");
    answer
}

/// Where all clocks of these tests begin.
#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to begin at; it is never read again"
)]
pub(crate) fn some_instant() -> Instant {
    Instant::now()
}

pub(super) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
