//! A set that is optimized for a single value.

use std::borrow::Borrow;
use std::collections::BTreeSet;

/// A sorted set. A single value is stored in place, because the smallest `BTreeSet` takes ten times as much memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Few<T> {
    /// Exactly one value.
    One(T),
    /// No value, or several.
    Many(BTreeSet<T>),
}

impl<T: Ord> Few<T> {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(many) => many.len(),
        }
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a value.
    pub fn insert(&mut self, value: T) {
        match self {
            Self::One(one) if *one == value => {}
            Self::One(_) => {
                if let Self::One(one) = std::mem::replace(self, Self::Many(BTreeSet::new())) {
                    *self = Self::Many(BTreeSet::from([one, value]));
                }
            }
            Self::Many(many) => drop(many.insert(value)),
        }
    }

    /// Removes a value; the set may be empty afterwards.
    pub fn remove<Q: Ord + ?Sized>(&mut self, value: &Q)
    where
        T: Borrow<Q>,
    {
        match self {
            Self::One(one) if (*one).borrow() == value => *self = Self::Many(BTreeSet::new()),
            Self::One(_) => {}
            Self::Many(many) => {
                many.remove(value);
                if many.len() == 1
                    && let Some(one) = many.pop_first()
                {
                    *self = Self::One(one);
                }
            }
        }
    }

    /// The values in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match self {
            Self::One(one) => (Some(one), None),
            Self::Many(many) => (None, Some(many)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set_whether_it_has_none_one_or_many() {
        let mut few = Few::One(3);
        let all = |few: &Few<u32>| few.iter().copied().collect::<Vec<_>>();
        few.insert(3);
        assert_eq!((few.len(), all(&few)), (1, vec![3]));
        few.insert(1);
        few.insert(2);
        assert_eq!((few.len(), all(&few)), (3, vec![1, 2, 3]));
        for value in [2, 9, 1] {
            few.remove(&value);
        }
        assert_eq!(few, Few::One(3));
        few.remove(&4);
        few.remove(&3);
        assert_eq!((few.is_empty(), all(&few)), (true, vec![]));
        few.insert(5);
        assert_eq!(all(&few), [5]);
    }
}
