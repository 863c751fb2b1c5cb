//! What always holds of [`SmallFiles`], whatever happens to them.

use super::{FileState, SmallFiles};

/// Looks at them.
///
/// # Errors
/// What does not hold, for whoever has to mend it.
pub fn check(files: &SmallFiles) -> Result<(), String> {
    let (mut waiting, mut bytes, mut undone) = (0, 0, 0);
    for (file, (state, item)) in (0..).zip(files.states.iter().zip(&files.items)) {
        undone += usize::from(!matches!(state, FileState::Done | FileState::Failed));
        match state {
            FileState::Waiting => {
                waiting += 1;
                bytes += item.size;
                if item.sources.is_empty() {
                    return Err(format!("file {file} waits, and nobody has it"));
                }
            }
            FileState::Flying(lane) if !files.lanes.contains_key(lane) => {
                return Err(format!("file {file} comes over {lane:?}, which left"));
            }
            FileState::Flying(_) | FileState::Claimed(_) | FileState::Done | FileState::Failed => {}
        }
    }
    let (counted, told) = ((waiting, bytes, undone), (files.waiting, files.waiting_bytes, files.undone));
    if counted != told {
        return Err(format!("(waiting, their bytes, undone) are {counted:?}, and the counters say {told:?}"));
    }
    for (lane, state) in &files.lanes {
        let flying = files.states.iter().zip(&files.items).filter(|(of, _)| **of == FileState::Flying(*lane));
        let counted = flying.fold((0, 0), |(count, bytes), (_, item)| (count + 1, bytes + item.size));
        if counted != state.flying {
            return Err(format!("{counted:?} files and bytes come over {lane:?}, not {:?}", state.flying));
        }
    }
    Ok(())
}
