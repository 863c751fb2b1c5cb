//! Speech: what people see and type.

pub mod escape;
