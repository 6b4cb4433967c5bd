//! References: how people and programs name a case, such as `SHOP-C12`.

/// Number of a case from how people and programs name it: `12`, `C12` or `SHOP-C12`.
pub fn number_of(project_key: &str, name: &str) -> Option<i64> {
    let name = name.trim();
    let own = name.strip_prefix(project_key).and_then(|rest| rest.strip_prefix('-'));
    let digits = match own {
        Some(rest) => rest.strip_prefix(['C', 'c'])?,
        None => name.strip_prefix(['C', 'c']).unwrap_or(name),
    };
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_known_by_its_number_and_its_reference() {
        assert_eq!(number_of("SHOP", "12"), Some(12));
        assert_eq!(number_of("SHOP", "c12"), Some(12));
        assert_eq!(number_of("SHOP", "SHOP-C12"), Some(12));
        for name in ["BANK-C12", "SHOP-12", "SHOP-R12", "C", "", "-1", "C+1", "99999999999999999999"] {
            assert_eq!(number_of("SHOP", name), None, "{name}");
        }
    }
}
