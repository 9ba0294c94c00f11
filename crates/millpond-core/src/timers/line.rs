//! Timers that are set in the order in which they fire, as those with one timeout are: a doubly linked list, so that setting
//! and clearing cost O(1).

use std::time::Instant;

/// A line of timers, by index, the earliest at the head.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    nodes: Vec<Node>,
    head: Option<u32>,
    tail: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// When it fires, with the number that breaks ties; `None` while it is not in the line.
    at: Option<(Instant, u64)>,
    previous: Option<u32>,
    next: Option<u32>,
}

impl Line {
    /// Whether a timer that fires then may join at the tail.
    pub(super) fn admits(&self, at: Instant) -> bool {
        self.tail.and_then(|tail| self.get(tail)).is_none_or(|(last, _)| last <= at)
    }

    /// Joins at the tail. Not in the line yet, and [admitted](Self::admits).
    pub(super) fn join(&mut self, index: u32, at: Instant, sequence: u64) {
        let place = index as usize;
        if self.nodes.len() <= place {
            self.nodes.resize(place + 1, Node { at: None, previous: None, next: None });
        }
        self.nodes[place] = Node { at: Some((at, sequence)), previous: self.tail, next: None };
        match self.tail {
            Some(tail) => self.nodes[tail as usize].next = Some(index),
            None => self.head = Some(index),
        }
        self.tail = Some(index);
    }

    /// Leaves the line; says whether it was there.
    pub(super) fn leave(&mut self, index: u32) -> bool {
        let Some(node) = self.nodes.get_mut(index as usize) else { return false };
        if node.at.take().is_none() {
            return false;
        }
        let Node { previous, next, .. } = *node;
        match previous {
            Some(previous) => self.nodes[previous as usize].next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => self.nodes[next as usize].previous = previous,
            None => self.tail = previous,
        }
        true
    }

    /// When it fires, if it is in the line.
    pub(super) fn get(&self, index: u32) -> Option<(Instant, u64)> {
        self.nodes.get(index as usize)?.at
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<(Instant, u64, u32)> {
        let head = self.head?;
        self.get(head).map(|(at, sequence)| (at, sequence, head))
    }

    /// Everyone in the line.
    #[cfg(test)]
    pub(super) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        (0u32..).zip(&self.nodes).filter(|(_, node)| node.at.is_some()).map(|(index, _)| index)
    }
}
