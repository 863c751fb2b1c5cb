//! The chunk hashes of a content, in order.

use std::ops::Deref;
use std::sync::Arc;

/// The chunk hashes of a content, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest(Rows);

/// Most files have one chunk, and there may be many files.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rows {
    One([u8; 32]),
    Many(Arc<[[u8; 32]]>),
}

impl Deref for Manifest {
    type Target = [[u8; 32]];

    fn deref(&self) -> &[[u8; 32]] {
        match &self.0 {
            Rows::One(row) => std::slice::from_ref(row),
            Rows::Many(rows) => rows,
        }
    }
}

impl From<&[[u8; 32]]> for Manifest {
    fn from(rows: &[[u8; 32]]) -> Self {
        match rows {
            [row] => Self(Rows::One(*row)),
            rows => Self(Rows::Many(rows.into())),
        }
    }
}

impl From<Vec<[u8; 32]>> for Manifest {
    fn from(rows: Vec<[u8; 32]>) -> Self {
        rows.as_slice().into()
    }
}

impl<const N: usize> From<[[u8; 32]; N]> for Manifest {
    fn from(rows: [[u8; 32]; N]) -> Self {
        rows.as_slice().into()
    }
}

impl FromIterator<[u8; 32]> for Manifest {
    fn from_iter<I: IntoIterator<Item = [u8; 32]>>(rows: I) -> Self {
        rows.into_iter().collect::<Vec<_>>().into()
    }
}
