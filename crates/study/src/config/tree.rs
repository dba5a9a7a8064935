//! Reading values out of a TOML tree with errors that know where they are.
//!
//! serde's messages name neither the place of a wrong value in a tree nor what a misspelled key was meant to
//! be. [`read`] keeps both: an [`Wrong`] has the path of the value, and of an unknown key the ones that would
//! have been right.

use std::fmt::{self, Display};

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer,
    MapAccess, Unexpected, VariantAccess, Visitor,
};
use toml::Value;

/// What is wrong with a value of a tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Wrong {
    /// The keys that lead to it.
    pub path: Vec<String>,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A key, or a name, is none of those that there are.
    Unknown {
        /// As it was written.
        found: String,
        /// Those that there are.
        expected: Vec<String>,
    },
    /// Anything else, in serde's words.
    Other(String),
}

/// What a value is, beside what it has to be, in the words of people who do not write Rust.
fn unfit(found: Unexpected<'_>, expected: &str) -> String {
    let is_text = matches!(found, Unexpected::Str(_));
    let found = match found {
        Unexpected::Bool(is) => is.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => format!("{number:?}"),
        Unexpected::Str(text) => format!("\"{text}\""),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a table".into(),
        other => other.to_string(),
    };
    let expected = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a string" => "a text",
        "a sequence" => "a list",
        "a map" => "a table",
        other if is_tagged(other) && is_text => "a table with a `name`",
        other if is_tagged(other) => "a name, or a table with a `name`",
        other if other.starts_with("struct ") => "a table",
        other => other,
    };
    format!("it is {found}, but must be {expected}")
}

/// Whether serde expects a table with a name, in its words.
fn is_tagged(expected: &str) -> bool {
    expected.starts_with("internally tagged enum ")
}

impl Wrong {
    pub(crate) fn other(path: &[&str], message: impl Display) -> Self {
        let path = path.iter().map(ToString::to_string).collect();
        Self { path, what: What::Other(message.to_string()) }
    }

    /// The same, seen from further up.
    pub(crate) fn below(mut self, key: &str) -> Self {
        self.path.insert(0, key.into());
        self
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Other(message) => f.write_str(message),
            What::Unknown { found, expected } => {
                write!(f, "`{found}` is unknown")?;
                let meant = meant(found, expected);
                let meant = meant.or_else(|| nearest(found, expected).map(str::to_owned));
                if let Some(meant) = meant {
                    return write!(f, "; did you mean `{meant}`?");
                }
                match expected.as_slice() {
                    [] => f.write_str(": nothing can be set there"),
                    all => write!(f, ", there are {}", all.join(", ")),
                }
            }
        }
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: Display>(message: T) -> Self {
        Self::other(&[], message)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom(unfit(found, &expected.to_string()))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("it has no `{field}`"))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.iter().map(ToString::to_string).collect();
        Self { path: vec![field.into()], what: What::Unknown { found: field.into(), expected } }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let expected = expected.iter().map(ToString::to_string).collect();
        Self { path: vec![], what: What::Unknown { found: variant.into(), expected } }
    }
}

/// Settings that are looked for a table too high, and where they are.
const WITHIN: [(&str, &str); 9] = [
    ("classes", "dataset"),
    ("evaluation_fraction", "dataset"),
    ("fraction", "dataset"),
    ("image_size", "dataset"),
    ("dropout", "model"),
    ("hidden", "model"),
    ("momentum", "optimizer"),
    ("nesterov", "optimizer"),
    ("weights", "pretrain"),
];

/// What is meant by a name that is right elsewhere, or short for one.
fn meant(found: &str, names: &[String]) -> Option<String> {
    let is_there = |name: &str| names.iter().any(|known| known == name);
    let within = WITHIN.iter().find(|(name, table)| *name == found && is_there(table));
    let short =
        super::overrides::SHORT.iter().find(|(name, long)| *name == found && is_there(long));
    within
        .map(|(name, table)| format!("{table}.{name}"))
        .or_else(|| short.map(|(_, long)| (*long).to_owned()))
}

/// The one of `names` that is most like what was written; `None` if none is near.
fn nearest<'a>(found: &str, names: &'a [String]) -> Option<&'a str> {
    let known = |name: &&String| strsim::jaro_winkler(found, name) > 0.8;
    let score = |name: &String| strsim::jaro_winkler(found, name);
    let near = names.iter().filter(known);
    near.max_by(|a, b| score(a).total_cmp(&score(b))).map(String::as_str)
}

/// Reads a value out of a tree.
///
/// # Errors
///
/// [`Wrong`] with the place in the tree.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> Result<T, Wrong> {
    T::deserialize(Node(value))
}

/// A value of the tree, as serde reads it.
struct Node(Value);

impl<'de> IntoDeserializer<'de, Wrong> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The entries of a table: what goes wrong with a value is below its key.
struct Entries {
    entries: toml::map::IntoIter<String, Value>,
    value: Option<(String, Value)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        let read = seed.deserialize(IntoDeserializer::<Wrong>::into_deserializer(key.clone()));
        self.value = Some((key, value));
        read.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (key, value) = self.value.take().ok_or_else(|| Wrong::custom("a key comes first"))?;
        seed.deserialize(Node(value)).map_err(|wrong| wrong.below(&key))
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(is) => visitor.visit_bool(is),
            Value::Datetime(time) => visitor.visit_string(time.to_string()),
            // serde would take its items for the name and what belongs to it.
            Value::Array(_) if is_tagged(&(&visitor as &dyn Expected).to_string()) => {
                Err(Wrong::invalid_type(Unexpected::Seq, &visitor))
            }
            Value::Array(values) => {
                visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Node)))
            }
            Value::Table(table) => {
                visitor.visit_map(Entries { entries: table.into_iter(), value: None })
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.0 {
            Value::String(name) => visitor.visit_enum(Choice { name, value: None }),
            Value::Table(table) if table.len() == 1 => {
                let (name, value) = table.into_iter().next().expect("it has one entry");
                visitor.visit_enum(Choice { name, value: Some(value) })
            }
            other => Err(Wrong::custom(format!("a name is expected, not {}", kind(&other)))),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

/// A variant of an enum, with what it holds.
struct Choice {
    name: String,
    value: Option<Value>,
}

impl<'de> EnumAccess<'de> for Choice {
    type Error = Wrong;
    type Variant = Held;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Held), Wrong> {
        let name = seed.deserialize(IntoDeserializer::<Wrong>::into_deserializer(self.name))?;
        Ok((name, Held(self.value)))
    }
}

/// What a variant holds.
struct Held(Option<Value>);

impl Held {
    fn value(self) -> Result<Node, Wrong> {
        self.0.map(Node).ok_or_else(|| Wrong::custom("it lacks its value"))
    }
}

impl<'de> VariantAccess<'de> for Held {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(Wrong::custom("it takes no value")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        self.value()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.value()?.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use selvedge_train::{Clip, FitConfig, OptimizerConfig};

    use super::*;

    fn wrong(text: &str) -> (String, String) {
        let table: toml::Table = text.parse().unwrap();
        let wrong = read::<FitConfig>(Value::Table(table)).unwrap_err();
        (wrong.path.join("."), wrong.to_string())
    }

    #[test]
    fn every_kind_of_setting_is_read() {
        let text = "epochs = 3\nlearning_rate = 1\noptimizer = { name = 'sgd', momentum = 0.9 }\n\
                    clip = { norm = 2.0 }\ndecay_biases_and_norms = false";
        let table: toml::Table = text.parse().unwrap();
        let config: FitConfig = read(Value::Table(table)).unwrap();
        let expected = FitConfig {
            epochs: 3,
            learning_rate: 1.0,
            optimizer: OptimizerConfig::sgd(0.9),
            clip: Some(Clip::Norm(2.0)),
            decay_biases_and_norms: false,
            ..FitConfig::default()
        };
        assert_eq!(config, expected);
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_and_a_strange_one_with_all() {
        let (path, message) = wrong("lerning_rate = 1");
        assert_eq!(path, "lerning_rate");
        assert_eq!(message, "`lerning_rate` is unknown; did you mean `learning_rate`?");
        let (_, message) = wrong("zzz = 1");
        assert!(message.starts_with("`zzz` is unknown, there are epochs, batch_size, "));
    }

    #[test]
    fn a_value_of_another_type_or_name_is_found_where_it_is() {
        let (path, message) = wrong("epochs = 'many'");
        assert_eq!(
            (path.as_str(), message.as_str()),
            ("epochs", "it is \"many\", but must be a whole number, 0 or more")
        );
        let (path, message) = wrong("optimizer = { name = 'adamm' }");
        assert_eq!(path, "optimizer.name");
        assert_eq!(message, "`adamm` is unknown; did you mean `adam`?");
        let (path, message) = wrong("clip = { nrm = 1.0 }");
        assert_eq!(path, "clip");
        assert!(message.contains("`nrm` is unknown"), "{message}");
    }
}
