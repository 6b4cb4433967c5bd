//! Forms: what a browser sends, as a type, and what to say about a field that does not do.
//!
//! `csrf::check` has looked at the token before a handler sees the form.

use super::csrf;
use crate::kernel::error::{Error, Result};
use crate::kernel::limits;
use actix_web::dev::Payload;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, web};
use serde::de::value::MapDeserializer;
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// The fields of a form.
///
/// A field that `T` does not have is refused. A field sent twice is refused, unless it is a `Vec`. A box that is
/// not ticked is not sent at all: give a `bool` and a `Vec` a `#[serde(default)]`. An empty field is `None` for an
/// `Option`. Line ends arrive as `\n`.
/// Errors: `Invalid` with a sentence that names the field; `TooLarge` over `limits::FORM_BYTES_MAX`.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let is_form = kind
            .split(';')
            .next()
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            if !is_form {
                return Err(Error::invalid("This address takes a form.")
                    .hint("Send it as application/x-www-form-urlencoded."));
            }
            let payload = body.await.map_err(|e| Error::internal(e.to_string()))?;
            let body =
                payload.to_bytes_limited(limits::FORM_BYTES_MAX).await.map_err(|_| csrf::too_large())?;
            let body =
                body.map_err(|e| Error::invalid("The form broke off half way.").because(e.to_string()))?;
            parse(&body).map(Form)
        })
    }
}

/// Reads the body of a form.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    let sent = csrf::fields(body).ok_or_else(|| Error::invalid("The form is not encoded as forms are."))?;
    of_fields(sent)
}

/// Makes a type of fields that have been read one by one, as those of a form with files are.
pub fn of_fields<T: DeserializeOwned>(sent: Vec<(String, String)>) -> Result<T> {
    let mut fields: Vec<(String, Values)> = Vec::new();
    for (name, value) in sent.into_iter().filter(|(name, _)| name != csrf::FIELD) {
        let value = value.replace("\r\n", "\n");
        match fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.values.push(value),
            None => fields.push((name.clone(), Values { name, values: vec![value] })),
        }
    }
    T::deserialize(Fields(fields)).map_err(|Misfit(sentence)| Error::invalid(sentence))
}

/// What does not fit, as a sentence.
#[derive(Debug)]
struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<M: fmt::Display>(message: M) -> Misfit {
        Misfit(format!("The form does not fit: {message}."))
    }
    fn missing_field(field: &'static str) -> Misfit {
        Misfit(format!("The field `{field}` is missing."))
    }
}

/// All fields: a map for serde, which knows the names a struct has.
struct Fields(Vec<(String, Values)>);

impl<'de> Deserializer<'de> for Fields {
    type Error = Misfit;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if let Some((name, _)) = self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let name: String = name.chars().take(60).collect();
            return Err(Misfit(format!("This form has no field `{name}`.")));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_map(MapDeserializer::new(self.0.into_iter()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// Every value that was sent for one field.
struct Values {
    name: String,
    values: Vec<String>,
}

impl Values {
    /// The value of a field that may be sent once only.
    fn only(mut self) -> Result<(String, String), Misfit> {
        let value = self.values.pop().unwrap_or_default();
        if self.values.is_empty() {
            Ok((self.name, value))
        } else {
            Err(Misfit(format!("The field `{}` was sent twice.", self.name)))
        }
    }
}

impl IntoDeserializer<'_, Misfit> for Values {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $kind:ty)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let (name, value) = self.only()?;
            let number = value.trim().parse::<$kind>();
            visitor.$visit(number.map_err(|_| {
                Misfit(format!("The field `{name}` must hold a number from {} to {}.", <$kind>::MIN, <$kind>::MAX))
            })?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Values {
    type Error = Misfit;

    numbers! {
        deserialize_i8 visit_i8 i8 deserialize_i16 visit_i16 i16 deserialize_i32 visit_i32 i32
        deserialize_i64 visit_i64 i64 deserialize_u8 visit_u8 u8 deserialize_u16 visit_u16 u16
        deserialize_u32 visit_u32 u32 deserialize_u64 visit_u64 u64 deserialize_f64 visit_f64 f64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_string(self.only()?.1)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let (name, value) = self.only()?;
        match value.as_str() {
            "on" | "true" | "yes" | "1" => visitor.visit_bool(true),
            "" | "off" | "false" | "no" | "0" => visitor.visit_bool(false),
            _ => Err(Misfit(format!("The field `{name}` must be on or off."))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if self.values.iter().all(String::is_empty) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let Values { name, values } = self;
        let each = values.into_iter().map(|value| Values { name: name.clone(), values: vec![value] });
        visitor.visit_seq(de::value::SeqDeserializer::new(each))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, v: V) -> Result<V::Value, Misfit> {
        v.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let (name, value) = self.only()?;
        if !words.contains(&value.as_str()) {
            return Err(Misfit(format!("The field `{name}` must be one of: {}.", words.join(", "))));
        }
        visitor.visit_enum(IntoDeserializer::<Misfit>::into_deserializer(value))
    }

    forward_to_deserialize_any! {
        i128 u128 f32 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// What to say about fields that do not do, beside the field it is about.
///
/// A handler that has any renders the form again with `Page::refused`, so that nothing typed is lost.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems(Vec<(&'static str, String)>);

impl Problems {
    /// Notes what is wrong with a field: a sentence that says what would do.
    pub fn add(&mut self, field: &'static str, sentence: impl Into<String>) {
        self.0.push((field, sentence.into()));
    }

    /// The value of a field, or a note of why it does not do.
    pub fn keep<T>(&mut self, field: &'static str, checked: Result<T>) -> Option<T> {
        checked.map_err(|wrong| self.add_error(field, &wrong)).ok()
    }

    /// Notes an error beside a field, with its hint.
    pub fn add_error(&mut self, field: &'static str, wrong: &Error) {
        let hint = wrong.hint_text().map(|hint| format!(" {hint}")).unwrap_or_default();
        self.add(field, format!("{}{hint}", wrong.sentence()));
    }

    /// The sentence about a field; empty if it is fine.
    pub fn of(&self, field: &str) -> &str {
        self.0.iter().find(|(about, _)| *about == field).map_or("", |(_, sentence)| sentence)
    }

    /// Whether every field is fine.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, for a list above the form.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.iter().map(|(field, sentence)| (*field, sentence.as_str()))
    }
}

/// One line of a list to choose from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What is read.
    pub word: String,
    /// Whether it is the one chosen now.
    pub is_chosen: bool,
}

impl Choice {
    /// The lines of a list: pairs of what is sent and what is read, and what is chosen now.
    pub fn among<V: fmt::Display, W: fmt::Display>(
        pairs: impl IntoIterator<Item = (V, W)>,
        chosen: impl fmt::Display,
    ) -> Vec<Choice> {
        let chosen = chosen.to_string();
        let line = |(value, word): (V, W)| {
            let value = value.to_string();
            Choice { is_chosen: value == chosen, value, word: word.to_string() }
        };
        pairs.into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, PartialEq, Debug)]
    #[serde(rename_all = "lowercase")]
    enum Priority {
        Low,
        High,
    }

    #[derive(Deserialize, PartialEq, Debug)]
    struct NewCase {
        title: String,
        suite: crate::kernel::id::SuiteId,
        priority: Priority,
        owner: Option<i64>,
        #[serde(default)]
        is_draft: bool,
        #[serde(default)]
        action: Vec<String>,
    }

    fn refusal(body: &str) -> String {
        parse::<NewCase>(body.as_bytes()).expect_err("the form does not fit").sentence().to_owned()
    }

    #[test]
    fn a_form_becomes_a_type() {
        let body =
            b"_csrf=x&title=Pay+%26+go%0D%0Anow&suite=7&priority=high&owner=&is_draft=on&action=a&action=b";
        let form: NewCase = parse(body).expect("the form fits");
        let action = vec!["a".into(), "b".into()];
        let title = "Pay & go\nnow".into();
        let suite = crate::kernel::id::SuiteId(7);
        assert_eq!(
            form,
            NewCase { title, suite, priority: Priority::High, owner: None, is_draft: true, action }
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert_eq!(refusal("title=a&role=owner"), "This form has no field `role`.");
        assert_eq!(refusal("title=a&title=b"), "The field `title` was sent twice.");
        assert_eq!(refusal("suite=7&priority=low"), "The field `title` is missing.");
        assert_eq!(refusal("title=a&priority=urgent"), "The field `priority` must be one of: low, high.");
        assert_eq!(refusal("title=a&is_draft=maybe"), "The field `is_draft` must be on or off.");
        assert!(refusal("title=a&suite=seven").starts_with("The field `suite` must hold a number"));
    }
}
