//! Addresses with parameters: put together here, so that what a person typed stays one value.

use std::fmt::{self, Display, Write};

/// An address of ours: a path and what follows the question mark.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    text: String,
    has_parameters: bool,
}

impl Address {
    /// A path, which starts with `/`.
    pub fn to(path: impl Into<String>) -> Address {
        Address { text: path.into(), has_parameters: false }
    }

    /// The same with one more parameter. `None` leaves it out.
    pub fn with(mut self, name: &str, value: impl Into<Option<String>>) -> Address {
        if let Some(value) = value.into() {
            let sign = if self.has_parameters { '&' } else { '?' };
            let value = encoded(&value);
            write!(self.text, "{sign}{name}={value}").expect("a string takes what is written");
            self.has_parameters = true;
        }
        self
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text as the value of a parameter.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut coded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                coded.push(char::from(byte));
            }
            _ => write!(coded, "%{byte:02X}").expect("a string takes what is written"),
        }
        coded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_leave_its_parameter() {
        let address = Address::to("/p/SHOP/cases")
            .with("suite", None)
            .with("q", "a&b=c #ü+".to_owned())
            .with("open", 12.to_string());
        assert_eq!(address.to_string(), "/p/SHOP/cases?q=a%26b%3Dc%20%23%C3%BC%2B&open=12");
        assert_eq!(Address::to("/").to_string(), "/");
    }
}
