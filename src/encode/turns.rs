//! Whose task comes next: the queues of all cameras, served in turn.
//!
//! The queue whose turn it is gives all it has, so that one picture is finished before another is begun; then
//! comes the next. So a camera that always has something waits for each of the others, and none waits longer
//! than for one picture of each. Knows nothing of threads and pictures.

use std::collections::VecDeque;

/// See the module.
#[derive(Debug)]
pub struct Turns<T> {
    queues: Vec<Queue<T>>,
    /// Index of the one whose turn it is.
    next: usize,
    /// Last id given out.
    last_id: u64,
}

#[derive(Debug)]
struct Queue<T> {
    id: u64,
    tasks: VecDeque<T>,
    /// Tasks that were taken and are not done.
    running: usize,
    /// As many may be.
    most_running: usize,
}

impl<T> Queue<T> {
    fn is_due(&self) -> bool {
        !self.tasks.is_empty() && self.running < self.most_running
    }
}

impl<T> Turns<T> {
    /// No queue.
    pub const fn new() -> Turns<T> {
        Turns {
            queues: Vec::new(),
            next: 0,
            last_id: 0,
        }
    }

    /// Adds a queue of which `most_running` tasks may run at once; its id.
    pub fn add(&mut self, most_running: usize) -> u64 {
        self.last_id += 1;
        self.queues.push(Queue {
            id: self.last_id,
            tasks: VecDeque::with_capacity(most_running),
            running: 0,
            most_running,
        });
        self.last_id
    }

    /// Removes a queue; what it still had.
    pub fn remove(&mut self, id: u64) -> VecDeque<T> {
        let Some(index) = self.queues.iter().position(|queue| queue.id == id) else {
            return VecDeque::new();
        };
        if index < self.next {
            self.next -= 1;
        }
        self.queues.remove(index).tasks
    }

    /// True when a queue has no task that waits.
    pub fn is_empty(&self, id: u64) -> bool {
        let mut queues = self.queues.iter();
        queues.all(|queue| queue.id != id || queue.tasks.is_empty())
    }

    /// Puts the tasks of a picture into an empty queue; false, and they are dropped, where one waits already.
    pub fn put(&mut self, id: u64, tasks: Vec<T>) -> bool {
        let mut queues = self.queues.iter_mut();
        let empty = queues.find(|queue| queue.id == id && queue.tasks.is_empty());
        empty.map(|queue| queue.tasks.extend(tasks)).is_some()
    }

    /// The task that comes next, and its queue's id, which is told when it is done.
    pub fn take(&mut self) -> Option<(u64, T)> {
        let count = self.queues.len();
        let in_turn = (0..count).map(|step| (self.next + step) % count);
        let index = in_turn
            .into_iter()
            .find(|&index| self.queues[index].is_due())?;
        let queue = &mut self.queues[index];
        let task = queue.tasks.pop_front()?;
        queue.running += 1;
        self.next = index + usize::from(queue.tasks.is_empty());
        Some((queue.id, task))
    }

    /// Notes that a task of a queue is done.
    pub fn done(&mut self, id: u64) {
        if let Some(queue) = self.queues.iter_mut().find(|queue| queue.id == id) {
            queue.running -= 1;
        }
    }

    /// True when there is a task that may run.
    pub fn is_due(&self) -> bool {
        self.queues.iter().any(Queue::is_due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes what is due and says that it is done.
    fn taken(turns: &mut Turns<&'static str>) -> Option<&'static str> {
        let (id, task) = turns.take()?;
        turns.done(id);
        Some(task)
    }

    #[test]
    fn a_queue_that_always_has_something_waits_for_each_of_the_others() {
        let mut turns = Turns::new();
        let (flood, slow, other) = (turns.add(4), turns.add(4), turns.add(4));
        let mut order = Vec::new();
        for number in 0..9 {
            turns.put(flood, vec!["flood", "flood"]);
            if number % 3 == 0 {
                turns.put(slow, vec!["slow"]);
                turns.put(other, vec!["other"]);
            }
            order.extend(taken(&mut turns));
        }
        let expected = [
            "flood", "flood", "slow", "other", "flood", "flood", "slow", "other", "flood",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn a_queue_holds_one_picture() {
        let mut turns = Turns::new();
        let id = turns.add(2);
        assert!(turns.is_empty(id));
        assert!(turns.put(id, vec!["first", "second"]));
        assert!(!turns.put(id, vec!["late"]) && !turns.is_empty(id));
        assert_eq!(taken(&mut turns), Some("first"));
        assert!(!turns.put(id, vec!["late"]), "the second still waits");
        assert_eq!(taken(&mut turns), Some("second"));
        assert!(turns.is_empty(id) && turns.put(id, vec!["next"]));
    }

    #[test]
    fn tasks_that_never_end_stop_their_own_queue_only() {
        let mut turns = Turns::new();
        let (hanging, well) = (turns.add(2), turns.add(1));
        turns.put(hanging, vec!["hangs", "hangs"]);
        assert!(turns.take().is_some() && turns.take().is_some());
        turns.put(hanging, vec!["waits"]);
        assert!(!turns.is_due());
        for _ in 0..3 {
            turns.put(well, vec!["well"]);
            assert_eq!(taken(&mut turns), Some("well"));
        }
        assert_eq!(turns.take(), None);
        turns.done(hanging);
        assert_eq!(turns.take(), Some((hanging, "waits")));
    }

    #[test]
    fn a_queue_that_is_removed_takes_its_tasks_along_and_nobodys_turn() {
        let mut turns = Turns::new();
        let ids = [turns.add(1), turns.add(1), turns.add(1)];
        turns.put(ids[0], vec!["a"]);
        let (first, _) = turns.take().expect("due");
        turns.put(ids[0], vec!["left"]);
        turns.put(ids[1], vec!["b"]);
        turns.put(ids[2], vec!["c"]);
        assert_eq!(turns.remove(ids[0]), ["left"]);
        assert!(turns.remove(ids[0]).is_empty());
        turns.done(first);
        assert!(!turns.put(ids[0], vec!["nobody's"]));
        assert_eq!(taken(&mut turns), Some("b"));
        assert_eq!(taken(&mut turns), Some("c"));
        assert_eq!(turns.take(), None);
    }
}
