//! Speech: what people see and type.

pub mod complete;
pub mod editor;
pub mod escape;
