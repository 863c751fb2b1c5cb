//! The files of the demo: who offers which, and a comparison of two files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::core::Rng;

/// The content of a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// A line of text, repeated this often.
    Text(&'static str, usize),
    /// This many bytes that look random and are the same in every run.
    Noise(u64),
}

/// A file, and the person who offers it.
pub(super) struct Dish {
    pub(super) owner: &'static str,
    pub(super) name: &'static str,
    content: Content,
}

/// The people, in the order in which they join.
pub(super) const PEOPLE: [&str; 3] = ["dora", "erin", "cleo"];

const MIB: u64 = 1 << 20;

const fn dish(owner: &'static str, name: &'static str, content: Content) -> Dish {
    Dish { owner, name, content }
}

/// Text and binary, empty and large, difficult names, and sizes around the end of a chunk.
pub(super) const DISHES: [Dish; 12] = [
    dish("dora", "notes.txt", Content::Text("Bring a salad, or something sweet.", 40)),
    dish("dora", "shopping list.txt", Content::Text("flour, eggs, butter, lemons", 3)),
    dish("dora", "nothing.txt", Content::Noise(0)),
    dish("dora", "photos/lake.raw", Content::Noise(3 * MIB)),
    dish("erin", "café.txt", Content::Text("Un café, une crêpe et l'addition, s'il vous plaît.", 20)),
    dish("erin", "dinner.mkv", Content::Noise(64 * MIB)),
    dish("erin", "song.ogg", Content::Noise(2 * MIB + 1)),
    dish("erin", "one-byte.bin", Content::Noise(1)),
    dish("cleo", "recipe.md", Content::Text("- stir, and wait until it thickens", 200)),
    dish("cleo", "guests.csv", Content::Text("name,dish,allergies", 30)),
    dish("cleo", "one-chunk.bin", Content::Noise(MIB)),
    dish("cleo", "almost.bin", Content::Noise(MIB - 1)),
];

impl Dish {
    /// Writes the file into the folder of its owner.
    pub(super) fn make(&self, dir: &Path) -> io::Result<()> {
        let path = dir.join(self.name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create(path)?;
        match self.content {
            Content::Text(line, times) => file.write_all(format!("{line}\n").repeat(times).as_bytes()),
            // The size is the seed, too, so no two files are alike.
            Content::Noise(size) => noise(&mut file, size, Rng(size)),
        }
    }

    pub(super) fn size(&self) -> u64 {
        match self.content {
            Content::Text(line, times) => ((line.len() + 1) * times) as u64,
            Content::Noise(size) => size,
        }
    }
}

fn noise(out: &mut impl Write, size: u64, mut rng: Rng) -> io::Result<()> {
    let mut block = vec![0; MIB as usize];
    let mut left = size;
    while left > 0 {
        for eight in block.chunks_exact_mut(8) {
            eight.copy_from_slice(&rng.next_u64().to_le_bytes());
        }
        let part = left.min(MIB);
        out.write_all(&block[..part as usize])?;
        left -= part;
    }
    Ok(())
}

/// Whether two files are the same, byte for byte.
pub(super) fn equal(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let mut blocks = (Vec::with_capacity(MIB as usize), Vec::with_capacity(MIB as usize));
    loop {
        for (file, block) in [(&mut one, &mut blocks.0), (&mut other, &mut blocks.1)] {
            block.clear();
            file.take(MIB).read_to_end(block)?;
        }
        if blocks.0 != blocks.1 {
            return Ok(false);
        }
        if blocks.0.is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_different_and_has_its_size() {
        let folder = tempfile::tempdir().unwrap();
        let all: Vec<_> = DISHES.iter().filter(|dish| dish.size() <= 4 * MIB).collect();
        for dish in &all {
            dish.make(folder.path()).unwrap();
            assert_eq!(fs::metadata(folder.path().join(dish.name)).unwrap().len(), dish.size());
        }
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                let same = equal(&folder.path().join(one.name), &folder.path().join(other.name)).unwrap();
                assert_eq!(same, i == j, "{} and {}", one.name, other.name);
            }
        }
        for person in PEOPLE {
            assert_eq!(DISHES.iter().filter(|dish| dish.owner == person).count(), 4);
        }
    }
}
