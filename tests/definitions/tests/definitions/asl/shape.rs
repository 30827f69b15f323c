//! What is known of a JSON value before any execution runs.

use std::collections::BTreeMap;

use serde_json::Value;

/// More alternatives than this are merged into one.
const ALTERNATIVES_MAX: usize = 8;

/// All that values can be at one place.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Anything: it comes from outside.
    Any,
    Null,
    Bool,
    Number,
    /// A string; the string, where only that one can be.
    Text(Option<String>),
    List(Box<Shape>),
    /// These fields and no others.
    Object(BTreeMap<String, Maybe>),
    /// One of several objects, told apart by a field.
    OneOf(Vec<Shape>),
}

/// A value that may be missing.
#[derive(Debug, Clone, PartialEq)]
pub struct Maybe {
    pub shape: Shape,
    /// Whether it is there in every execution.
    pub always: bool,
}

impl Maybe {
    pub const fn always(shape: Shape) -> Self {
        Self {
            shape,
            always: true,
        }
    }

    pub const fn never() -> Self {
        Self {
            shape: Shape::Null,
            always: false,
        }
    }

    pub fn unless(self, missing: bool) -> Self {
        Self {
            always: self.always && !missing,
            ..self
        }
    }

    /// The one or the other.
    pub fn or(&self, other: &Self) -> Self {
        let shape = match (self == &Self::never(), other == &Self::never()) {
            (true, _) => other.shape.clone(),
            (_, true) => self.shape.clone(),
            _ => self.shape.or(&other.shape),
        };
        Self {
            shape,
            always: self.always && other.always,
        }
    }
}

impl Shape {
    pub fn object<const N: usize>(fields: [(&str, Maybe); N]) -> Self {
        Self::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }

    pub const fn text() -> Self {
        Self::Text(None)
    }

    /// That of one value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text(None),
            Value::Array(items) => {
                let shapes = items.iter().map(Self::of);
                let items = shapes.reduce(|one, other| one.or(&other));
                Self::List(Box::new(items.unwrap_or(Self::Any)))
            }
            Value::Object(fields) => Self::Object(
                fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Maybe::always(Self::of(value))))
                    .collect(),
            ),
        }
    }

    /// That of what is serialised as these: a field that one of them lacks may be missing. Where a
    /// field tells kinds apart, what is missing in one kind may be sure in another.
    pub fn of_all(samples: &[Value], told_apart_by: Option<&str>) -> Self {
        let mut kinds: BTreeMap<Option<&str>, Self> = BTreeMap::new();
        for sample in samples {
            let kind = told_apart_by.and_then(|field| sample[field].as_str());
            let mut shape = Self::of(sample);
            if let (Self::Object(fields), Some(field), Some(kind)) =
                (&mut shape, told_apart_by, kind)
            {
                let text = Self::Text(Some(kind.to_owned()));
                fields.insert(field.to_owned(), Maybe::always(text));
            }
            let merged = match kinds.remove(&kind) {
                Some(before) => before.merged(&shape),
                None => shape,
            };
            kinds.insert(kind, merged);
        }
        let mut kinds: Vec<_> = kinds.into_values().collect();
        if kinds.len() == 1 {
            kinds.remove(0)
        } else {
            Self::OneOf(kinds)
        }
    }

    /// One shape that takes both.
    fn merged(&self, other: &Self) -> Self {
        match (self, other) {
            (one, other) if one == other => one.clone(),
            (Self::Text(_), Self::Text(_)) => Self::Text(None),
            (Self::List(one), Self::List(other)) => {
                Self::List(Box::new(match (&**one, &**other) {
                    // Of an empty list nothing is known.
                    (Self::Any, known) | (known, Self::Any) => known.clone(),
                    (one, other) => one.merged(other),
                }))
            }
            (Self::Object(one), Self::Object(other)) => {
                let names = one.keys().chain(other.keys());
                let fields = names.map(|name| {
                    let field = match (one.get(name), other.get(name)) {
                        (Some(one), Some(other)) => Maybe {
                            shape: one.shape.merged(&other.shape),
                            always: one.always && other.always,
                        },
                        (Some(only), None) | (None, Some(only)) => only.clone().unless(true),
                        (None, None) => Maybe::never(),
                    };
                    (name.clone(), field)
                });
                Self::Object(fields.collect())
            }
            (Self::OneOf(kinds), other) | (other, Self::OneOf(kinds)) => kinds
                .iter()
                .fold(other.clone(), |merged, kind| merged.merged(kind)),
            _ => Self::Any,
        }
    }

    /// The one or the other: objects stay apart while they are few.
    pub fn or(&self, other: &Self) -> Self {
        if self == other {
            return self.clone();
        }
        let kinds = |shape: &Self| match shape {
            Self::OneOf(kinds) => kinds.clone(),
            one => vec![one.clone()],
        };
        let (one, more) = (kinds(self), kinds(other));
        let objects = |kinds: &[Self]| {
            kinds
                .iter()
                .all(|kind| matches!(kind, Self::Object(_) | Self::Null))
        };
        if !objects(&one) || !objects(&more) {
            return self.merged(other);
        }
        let mut all = one;
        for kind in more {
            if !all.contains(&kind) {
                all.push(kind);
            }
        }
        if all.len() > ALTERNATIVES_MAX {
            let first = all[0].clone();
            return all.iter().fold(first, |merged, kind| merged.merged(kind));
        }
        Self::OneOf(all)
    }

    /// A field, as a path step finds it.
    pub fn field(&self, name: &str) -> Maybe {
        match self {
            Self::Any => Maybe::always(Self::Any).unless(true),
            Self::Object(fields) => fields.get(name).cloned().unwrap_or_else(Maybe::never),
            Self::OneOf(kinds) => {
                let fields = kinds.iter().map(|kind| kind.field(name));
                fields
                    .reduce(|one, other| one.or(&other))
                    .unwrap_or_else(Maybe::never)
            }
            // A list of values, or the one that there is.
            Self::List(items) => Maybe::always(items.field(name).shape).unless(true),
            _ => Maybe::never(),
        }
    }

    /// The same, this path surely there.
    #[must_use]
    pub fn with(&self, path: &[&str]) -> Self {
        let Some((first, rest)) = path.split_first() else {
            return self.clone();
        };
        match self {
            Self::Object(fields) => {
                let mut fields = fields.clone();
                if let Some(field) = fields.get_mut(*first) {
                    *field = Maybe::always(field.shape.with(rest));
                }
                Self::Object(fields)
            }
            Self::OneOf(kinds) => {
                let having = kinds.iter().filter(|kind| kind.has(first));
                Self::OneOf(having.map(|kind| kind.with(path)).collect())
            }
            other => other.clone(),
        }
    }

    fn has(&self, field: &str) -> bool {
        matches!(self, Self::Object(fields) if fields.contains_key(field))
    }

    /// The same, this path being this text: kinds in which it is another are none.
    #[must_use]
    pub fn being(&self, path: &[&str], text: &str) -> Self {
        let can = |kind: &Self| {
            let found = path.iter().try_fold(kind.clone(), |shape, name| {
                let field = shape.field(name);
                (field != Maybe::never()).then_some(field.shape)
            });
            match found {
                None | Some(Self::Null) => false,
                Some(Self::Text(Some(other))) => other == text,
                Some(_) => true,
            }
        };
        match self {
            Self::OneOf(kinds) => {
                let mut left: Vec<_> = kinds.iter().filter(|kind| can(kind)).cloned().collect();
                if left.len() == 1 {
                    left.remove(0)
                } else {
                    Self::OneOf(left)
                }
            }
            other => other.clone(),
        }
    }
}
