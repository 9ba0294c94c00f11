//! The search: breadth first, so that what it finds, it finds by the shortest way.

use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::fmt::Write as _;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Instant;

use super::planted::Defect;
use super::scope::Scope;
use super::world::World;

/// What a search came to.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) states: usize,
    pub(super) transitions: usize,
    /// Whether every reachable state was visited.
    pub(super) complete: bool,
    /// What is wrong, and how it comes about.
    pub(super) failure: Option<String>,
}

/// A search under way.
pub(super) struct Search {
    scope: Scope,
    now: Instant,
    planted: Option<Defect>,
    /// Every key that was seen, and whether it is known that all may end well from there.
    known: HashMap<u128, Mark, BuildHasherDefault<Mixer>>,
    /// How each state was first reached: from which, by which of its steps.
    ways: Vec<(u32, u16)>,
    transitions: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    visited: bool,
    hopeful: bool,
}

/// A state, the number of the step from it that went wrong (none: the state itself), and what is wrong.
type Violation = (usize, Option<usize>, String);

impl Search {
    pub(super) fn new(scope: &Scope, now: Instant, planted: Option<Defect>) -> Self {
        Self {
            scope: *scope,
            now,
            planted,
            known: HashMap::default(),
            ways: Vec::new(),
            transitions: 0,
        }
    }

    pub(super) fn found(&self, outcome: Result<bool, Violation>) -> Found {
        let (complete, failure) = match outcome {
            Ok(complete) => (complete, None),
            Err((state, ordinal, violation)) => {
                (false, Some(self.explain(state, ordinal, &violation)))
            }
        };
        Found { states: self.ways.len(), transitions: self.transitions, complete, failure }
    }

    /// Visits every state that the scope reaches, or as many as `limit`, or as far as the first violation; says whether it
    /// was every state.
    pub(super) fn run(&mut self, limit: usize) -> Result<bool, Violation> {
        let first = World::new(&self.scope, self.now, self.planted);
        self.known.insert(first.key(), Mark { visited: true, hopeful: false });
        self.ways.push((0, 0));
        let mut frontier = VecDeque::from([(0usize, first)]);
        let mut steps = Vec::new();
        while let Some((state, world)) = frontier.pop_front() {
            self.hope(&world).map_err(|violation| (state, None, violation))?;
            steps.clear();
            world.steps(&self.scope, &mut steps);
            for (ordinal, (step, race)) in steps.iter().enumerate() {
                let mut next = world.clone();
                let raced = next
                    .take(*step, *race)
                    .map_err(|violation| (state, Some(ordinal), violation))?;
                if race.is_some() && !raced {
                    continue;
                }
                self.transitions += 1;
                let mark = match self.known.entry(next.key()) {
                    Entry::Occupied(entry) => entry.into_mut(),
                    Entry::Vacant(entry) => entry.insert(Mark::default()),
                };
                if std::mem::replace(&mut mark.visited, true) {
                    continue;
                }
                if self.ways.len() >= limit {
                    return Ok(false);
                }
                let way = u32::try_from(state).expect("fewer than 2^32 states");
                self.ways.push((way, u16::try_from(ordinal).expect("a few hundred steps")));
                frontier.push_back((self.ways.len() - 1, next));
            }
        }
        Ok(true)
    }

    /// From every state, if from now on everybody does what is best, everybody is served and a closing pool drains.
    fn hope(&mut self, world: &World) -> Result<(), String> {
        let mut path = vec![world.key()];
        let mut world = world.clone();
        while !world.is_content() {
            let Some(step) = world.best_step() else {
                return Err("nothing is left to do, and somebody still waits".into());
            };
            world.take(step, None)?;
            let key = world.key();
            if self.known.get(&key).is_some_and(|mark| mark.hopeful) {
                break;
            }
            if path.contains(&key) || path.len() > LONGEST_HOPE {
                return Err(format!(
                    "it goes round in circles, by {step:?}, and somebody still waits"
                ));
            }
            path.push(key);
        }
        for key in path {
            self.known.entry(key).or_default().hopeful = true;
        }
        Ok(())
    }

    /// Visits `limit` states, and wherever a state is reached a second time compares what may follow with what might the
    /// first time.
    pub(super) fn compare_futures(&mut self, limit: usize) -> Result<(), String> {
        let first = World::new(&self.scope, self.now, self.planted);
        let mut futures: HashMap<u128, Vec<u128>> = HashMap::new();
        let mut frontier = VecDeque::from([first]);
        while let Some(world) = frontier.pop_front() {
            let next = self.successors(&world)?;
            let mut keys: Vec<_> = next.iter().map(World::key).collect();
            keys.sort_unstable();
            keys.dedup();
            match futures.entry(world.key()) {
                Entry::Occupied(known) if *known.get() == keys => {}
                Entry::Occupied(_) => {
                    return Err(format!(
                        "reached in another way, it has another future: {world:#?}"
                    ));
                }
                Entry::Vacant(entry) => {
                    entry.insert(keys);
                    self.ways.push((0, 0));
                    if self.ways.len() < limit {
                        frontier.extend(next);
                    }
                }
            }
        }
        Ok(())
    }

    fn successors(&mut self, world: &World) -> Result<Vec<World>, String> {
        let mut steps = Vec::new();
        world.steps(&self.scope, &mut steps);
        let mut successors = Vec::with_capacity(steps.len());
        for (step, race) in steps {
            let mut next = world.clone();
            let raced = next.take(step, race)?;
            if race.is_none() || raced {
                self.transitions += 1;
                successors.push(next);
            }
        }
        Ok(successors)
    }

    /// Takes the way to a violation again and writes it down.
    fn explain(&self, state: usize, ordinal: Option<usize>, violation: &str) -> String {
        let mut way: Vec<usize> = ordinal.into_iter().collect();
        let mut at = state;
        while at != 0 {
            let (before, ordinal) = self.ways[at];
            way.push(usize::from(ordinal));
            at = before as usize;
        }
        let mut text = format!(
            "{violation}\nin scope {:?} after these {} steps:\n",
            self.scope.name,
            way.len()
        );
        let mut world = World::new(&self.scope, self.now, self.planted);
        for ordinal in way.into_iter().rev() {
            let mut steps = Vec::new();
            world.steps(&self.scope, &mut steps);
            let (step, race) = steps[ordinal];
            let _ = writeln!(
                text,
                "  {step:?} {}",
                race.map_or(String::new(), |race| format!("with {race:?}"))
            );
            if world.take(step, race).is_err() {
                break;
            }
        }
        let _ = writeln!(text, "{world:#?}");
        text
    }
}

/// Keys are packed bits: one multiplication spreads them well enough.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only keys are hashed");
    }

    fn write_u128(&mut self, key: u128) {
        let product = (key ^ key >> 64).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        self.0 = (product >> 64) as u64 ^ product as u64;
    }
}

/// No pool of the model needs more steps than this to serve everybody.
const LONGEST_HOPE: usize = 200;
