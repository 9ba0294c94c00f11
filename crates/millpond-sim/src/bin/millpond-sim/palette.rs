//! Colours that can be told apart, also by those who do not see all of them (after Okabe and Ito).

use millpond_core::{ShedReason, Why};
use millpond_sim::{Policy, Summary};

/// A colour as on the page, and as in the charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl std::fmt::Display for Colour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

/// The colour of a policy.
pub(crate) fn of_policy(policy: Policy) -> Colour {
    match policy {
        Policy::Auto => BLUE,
        Policy::TargetWait(_) => GREEN,
        Policy::Fifo => ORANGE,
        Policy::BareTimeout => RED,
        _ => GREY,
    }
}

/// The same where it may stand on white as well as on black.
pub(crate) fn on_any_ground(policy: Policy) -> Colour {
    match policy {
        Policy::Auto => Colour(58, 142, 208),
        Policy::Fifo => Colour(200, 130, 0),
        _ => Colour(224, 85, 50),
    }
}

/// The colour of a kind of callers, by its number.
pub(crate) fn of_kind(kind: usize) -> Colour {
    [BLUE, ORANGE, GREEN, PINK, SKY, BROWN][kind % 6]
}

/// One of the things that may become of a request: what it is called, its colour, and how many met with it.
pub(crate) type Lot = (&'static str, Colour, fn(&Summary) -> u64);

/// All that may become of a request, the good first.
pub(crate) const LOTS: [Lot; 9] = [
    ("in time", GREEN, |s| s.good),
    ("too late", ORANGE, |s| s.late),
    ("gave up at its deadline", RED, |s| s.left + refused(s, Why::Deadline)),
    ("refused: queue full", PINK, |s| refused(s, Why::TooManyWaiters)),
    ("refused: overloaded", BLUE, |s| s.shed(ShedReason::Overloaded)),
    ("refused: waited too long", SKY, |s| s.shed(ShedReason::WaitedTooLong)),
    ("refused: predicted too late", YELLOW, |s| s.shed(ShedReason::PredictedTooLate)),
    ("refused: deadline too close", BROWN, |s| s.shed(ShedReason::DeadlineTooClose)),
    ("anything else", GREY, |s| {
        s.unfinished + refused(s, Why::CreateFailed) + refused(s, Why::Closed)
    }),
];

fn refused(summary: &Summary, why: Why) -> u64 {
    summary.refused.get(&why).copied().unwrap_or(0)
}

const BLUE: Colour = Colour(0, 114, 178);
const SKY: Colour = Colour(86, 180, 233);
const GREEN: Colour = Colour(0, 158, 115);
const ORANGE: Colour = Colour(230, 159, 0);
const RED: Colour = Colour(204, 68, 34);
const PINK: Colour = Colour(204, 121, 167);
const YELLOW: Colour = Colour(222, 205, 60);
const BROWN: Colour = Colour(133, 92, 60);
pub(crate) const GREY: Colour = Colour(140, 140, 140);
