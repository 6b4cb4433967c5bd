//! Words of the demonstration project: a web shop that never was. Pure: the same number in, the
//! same words out; knows nothing of cases and runs.

/// A small generator of numbers (SplitMix64): the same seed gives the same project everywhere.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that always fall the same way for this seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed ^ 0x5DEE_CE66_D1CE_5EED)
    }

    /// Any number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which must not be 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// Whether something happens that happens `of_thousand` times in a thousand.
    pub fn happens(&mut self, of_thousand: u64) -> bool {
        self.below(1_000) < of_thousand
    }
}

/// A part of the shop: its name, and the things one does there.
pub struct Area {
    /// Name of the suite.
    pub name: &'static str,
    /// Names of its inner suites.
    pub features: &'static [&'static str],
}

/// The shop, area by area.
pub const AREAS: &[Area] = &[
    Area {
        name: "Cart",
        features: &["Add and remove", "Quantities", "Vouchers", "Saved carts", "Mini cart"],
    },
    Area {
        name: "Checkout",
        features: &["Addresses", "Guest checkout", "Delivery slots", "Order summary", "Gift wrapping"],
    },
    Area { name: "Payment", features: &["Cards", "Direct debit", "Instalments", "Refunds", "Invoices"] },
    Area { name: "Search", features: &["Suggestions", "Filters", "Sorting", "No results", "Synonyms"] },
    Area {
        name: "Account",
        features: &["Registration", "Sign-in", "Password reset", "Addresses", "Order history"],
    },
    Area { name: "Catalogue", features: &["Product page", "Variants", "Images", "Availability", "Reviews"] },
    Area {
        name: "Shipping",
        features: &["Tracking", "Pick-up points", "Split deliveries", "Customs", "Express"],
    },
    Area { name: "Returns", features: &["Request", "Label", "Exchange", "Partial return", "Credit note"] },
    Area { name: "Notifications", features: &["Order mail", "Delivery mail", "Newsletter", "Price alarm"] },
    Area { name: "Administration", features: &["Prices", "Stock", "Campaigns", "Roles", "Imports"] },
];

const ACTIONS: &[&str] = &[
    "is kept after signing in",
    "shows the total with tax",
    "refuses an expired voucher",
    "survives a reload",
    "works with two currencies",
    "is announced to a screen reader",
    "keeps what was typed after an error",
    "reaches the last item by keyboard",
    "is empty for a new customer",
    "shows the price before the discount",
    "stays below the limit of the warehouse",
    "asks again before it deletes",
    "is reachable from the mail",
    "carries the reference of the order",
    "answers within two seconds",
    "hides what is out of stock",
    "rounds to whole cents",
    "takes an address abroad",
    "works on a narrow screen",
    "can be undone",
    "lists the newest first",
    "names the missing field",
    "sends one mail only",
    "ends the session on request",
];

const SITUATIONS: &[&str] = &[
    "as a guest",
    "as a returning customer",
    "with one item",
    "with twenty items",
    "with a gift card",
    "on a slow network",
    "in a second tab",
    "after midnight",
    "with prices in francs",
    "with a company account",
    "while stock runs out",
    "with a very long name",
    "with right-to-left text",
    "after a declined card",
];

const STEPS: &[(&str, &str)] = &[
    ("Open the start page in a private window.", "The page loads without a notice."),
    ("Sign in as `customer-7`.", "The name of the customer stands in the top bar."),
    ("Put the blue teapot into the cart.", "The cart shows **1 item**."),
    ("Raise the quantity to 3.", "The sum is three times the price."),
    ("Enter the voucher `SPRING` and confirm.", "The discount has a line of its own."),
    ("Choose delivery to a pick-up point.", "The nearest five points are listed by distance."),
    ("Pay with the card ending in 4242.", "The confirmation carries an order number."),
    ("Open the order in the history.", "Items, prices and address are those of the order."),
    ("Reload the page.", "Nothing is lost and nothing is sent twice."),
    ("Go back with the browser's button.", "The form still holds what was typed."),
    ("Cancel the order.", "The state is *cancelled* and a mail is on its way."),
];

const FAILURES: &[(&str, &str)] = &[
    (
        "expected total 41.97 but was 41.96",
        "AssertionError: expected total 41.97 but was 41.96\n    at Cart.total (cart/total.spec.ts:48:19)\n    at runStep (support/steps.ts:112:7)",
    ),
    (
        "element \"Continue\" is not enabled",
        "TimeoutError: element \"Continue\" is not enabled\n    waiting for locator(\"button.continue\")\n    at checkout/guest.spec.ts:77:31",
    ),
    (
        "status 502 instead of 200",
        "RequestError: status 502 instead of 200\n    GET /api/delivery/slots\n    at Client.get (api/client.ts:31:11)\n    at checkout/slots.spec.ts:22:5",
    ),
    (
        "mail \"Your order\" did not arrive within 30 s",
        "Error: mail \"Your order\" did not arrive within 30 s\n    at Inbox.wait (support/inbox.ts:64:13)\n    at notifications/order.spec.ts:41:3",
    ),
    (
        "list is not sorted by price",
        "AssertionError: list is not sorted by price\n  position 4: 12.90 after 13.50\n    at search/sorting.spec.ts:58:9",
    ),
];

/// Title of case number `at` in a feature: no two of one feature are alike for the first 336.
pub fn title(feature: &str, at: u64) -> String {
    let (actions, situations) = (ACTIONS.len() as u64, SITUATIONS.len() as u64);
    let action = ACTIONS[usize::try_from(at % actions).expect("an index below the length")];
    let situation =
        SITUATIONS[usize::try_from((at / actions + at) % situations).expect("an index below the length")];
    let round = at / (actions * situations);
    let more = if round == 0 { String::new() } else { format!(", variant {}", round + 1) };
    format!("{feature} {action} {situation}{more}")
}

/// Three to six steps, as action and expected outcome.
pub fn steps(dice: &mut Dice) -> Vec<(&'static str, &'static str)> {
    let count = 3 + dice.below(4);
    let first = dice.below(STEPS.len() as u64);
    let at = |n| STEPS[usize::try_from((first + n) % STEPS.len() as u64).expect("an index below the length")];
    (0..count).map(at).collect()
}

/// Message and stack of a failure.
pub fn failure(dice: &mut Dice) -> (&'static str, &'static str) {
    let at = dice.below(FAILURES.len() as u64);
    FAILURES[usize::try_from(at).expect("an index below the length")]
}

/// Title of an automated run.
pub fn run_title(number: u64) -> String {
    const KINDS: [&str; 4] =
        ["Nightly regression", "Smoke on staging", "Pull request checks", "Release candidate"];
    let kind = KINDS[usize::try_from(number % 4).expect("an index below four")];
    format!("{kind} #{}", 400 + number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn titles_of_a_feature_differ() {
        let titles: BTreeSet<String> = (0..2_000).map(|at| title("Cards", at)).collect();
        assert_eq!(titles.len(), 2_000);
    }

    #[test]
    fn the_same_seed_falls_the_same_way() {
        let roll = |seed| Dice::new(seed).roll();
        assert_eq!(roll(7), roll(7));
        assert_ne!(roll(7), roll(8));
    }
}
