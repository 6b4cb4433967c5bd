//! Each producer as it writes. See `tests/data/junit/README.md`.

use super::told;
use insta::assert_snapshot;

#[test]
fn surefire_tells_earlier_attempts_and_the_last_one_counts() {
    assert_snapshot!(told("surefire"), @r#"
    passed 12 ms shop.CartTest > adds
      suites: "shop.CartTest"
    passed 1234500 ms shop.CartTest > removes
      suites: "shop.CartTest"
      output: "first try"
      before: failed Some("expected 1 but was 2") Some("java.lang.AssertionError: expected 1 but was 2\n\tat shop.CartTest.removes(CartTest.java:12)")
      before: errored Some("no route") Some("java.net.ConnectException: no route")
    errored 500 ms shop.CartTest > pays
      suites: "shop.CartTest"
      message: "third"
      stack: "java.lang.IllegalStateException: third"
      output: "paying\nsadly"
      before: failed Some("first") Some("java.lang.AssertionError: first")
      before: failed Some("second") Some("java.lang.AssertionError: second")
    failed 100 ms shop.CartTest > ships
      suites: "shop.CartTest"
      message: "java.lang.AssertionError"
    errored - shop.CartTest > bills
      suites: "shop.CartTest"
      message: "boom"
      stack: "java.lang.NullPointerException: boom\n\tat shop.Bill.print(Bill.java:3)"
    = 5: 2 1 2 0, 1235112 ms
    "#);
}

#[test]
fn gradle_repeats_a_case_for_each_retry() {
    assert_snapshot!(told("gradle"), @r#"
    failed 100 ms shop.StockTest > counts()
      suites: "shop.StockTest"
      message: "org.opentest4j.AssertionFailedError: expected: <1> but was: <2>"
      stack: "org.opentest4j.AssertionFailedError: expected: <1> but was: <2>\n\tat shop.StockTest.counts(StockTest.java:9)"
    failed 100 ms shop.StockTest > counts() #2
      suites: "shop.StockTest"
      message: "again"
    passed 100 ms shop.StockTest > counts() #3
      suites: "shop.StockTest"
    = 3: 1 2 0 0, 300 ms
    "#);
}

#[test]
fn pytest_puts_teardown_and_collection_errors_into_cases() {
    assert_snapshot!(told("pytest"), @r#"
    passed 1 ms tests.test_cart.TestCart > test_adds[1-a]
      suites: "pytest"
      file: "tests/test_cart.py"
      case: "C7"
    skipped 5 ms tests.test_cart.TestCart > test_known
      suites: "pytest"
      file: "tests/test_cart.py"
      message: "pytest.xfail: known bug"
    skipped 8 ms tests.test_cart > test_later
      suites: "pytest"
      message: "later"
      stack: "/src/tests/test_cart.py:8: later"
    failed 10 ms tests.test_cart > test_both
      suites: "pytest"
      message: "AssertionError: assert 1 == 2"
      stack: "def test_both(broken):\n>       assert 1 == 2\nE       assert 1 == 2\n\ntests/test_cart.py:12: AssertionError"
    errored 1 ms tests.test_cart > test_both #2
      suites: "pytest"
      message: "failed on teardown with \"ValueError: late\""
      stack: "ValueError: late"
    errored 0 ms pytest > tests.test_broken
      suites: "pytest"
      message: "collection failure"
      stack: "ImportError while importing test module"
    passed 0 ms tests.test_cart > test_text_property
      suites: "pytest"
      case: "SHOP-C12"
    = 7: 2 1 2 2, 25 ms
    "#);
}

#[test]
fn phpunit_nests_suites_and_repeats_the_name_as_message() {
    assert_snapshot!(told("phpunit"), @r#"
    passed 10 ms Shop.CartTest > testAdds
      suites: "unit / Shop\\CartTest"
      file: "/src/tests/CartTest.php"
    passed 10 ms Shop.CartTest > testSums with data set "one"
      suites: "unit / Shop\\CartTest / Shop\\CartTest::testSums"
      file: "/src/tests/CartTest.php"
    failed 10 ms Shop.CartTest > testSums with data set "two"
      suites: "unit / Shop\\CartTest / Shop\\CartTest::testSums"
      file: "/src/tests/CartTest.php"
      message: "Failed asserting that 3 matches expected 4."
      stack: "Shop\\CartTest::testSums with data set \"two\"\nFailed asserting that 3 matches expected 4.\n\n/src/tests/CartTest.php:16"
    passed 10 ms Shop\CartTest > testOld
      suites: "unit / Shop\\CartTest"
      file: "/src/tests/CartTest.php"
      message: "uses a deprecated thing"
    = 4: 3 1 0 0, 40 ms
    "#);
}

#[test]
fn googletest_marks_disabled_tests_by_attribute_only() {
    assert_snapshot!(told("googletest"), @r#"
    passed 1 ms Cart > Adds
      suites: "Cart"
      file: "cart_test.cc"
    skipped 0 ms Cart > DISABLED_Old
      suites: "Cart"
    skipped 2 ms Cart > Later
      suites: "Cart"
      message: "cart_test.cc:20\nnot here"
    failed 3 ms Cart > Sums
      suites: "Cart"
      message: "cart_test.cc:30\nExpected equality\ncart_test.cc:31\nValue of: full"
    passed 1 ms All/Cart > Each/0
      suites: "Cart"
    = 5: 2 1 0 2, 7 ms
    "#);
}

#[test]
fn ctest_marks_what_did_not_run_by_status_only() {
    assert_snapshot!(told("ctest"), @r#"
    passed 1250 ms cart.adds
      suites: "Linux-c++"
      output: "ok"
    failed 500 ms cart.sums
      suites: "Linux-c++"
      output: "sum was 3"
    skipped 0 ms cart.old
      suites: "Linux-c++"
    skipped 0 ms cart.slow
      suites: "Linux-c++"
      message: "SKIP_RETURN_CODE=77"
    = 4: 1 1 0 2, 1750 ms
    "#);
}

#[test]
fn catch2_repeats_a_name_for_each_section() {
    assert_snapshot!(told("catch2"), @r#"
    passed 10 ms cart-tests.global > Cart/adds
      suites: "cart-tests"
    failed 10 ms cart-tests.global > Cart/adds #2
      suites: "cart-tests"
      message: "1 == 2"
      stack: "FAILED:\n  REQUIRE( 1 == 2 )\nat cart.cpp:9"
    passed 10 ms cart-tests.global > Cart/empties
      suites: "cart-tests"
    = 3: 2 1 0 0, 30 ms
    "#);
}

#[test]
fn jest_and_vitest_repeat_the_path_in_name_and_class() {
    assert_snapshot!(told("jest"), @r#"
    passed 4 ms Cart adds
      suites: "Cart"
      file: "src/cart.test.js"
    failed 100 ms Cart sums
      suites: "Cart"
      message: "Error: expect(received).toBe(4)"
      stack: "Error: expect(received).toBe(4)\n    at Object.<anonymous> (src/cart.test.js:9:3)"
    passed 20 ms src/stock.test.ts > Stock > counts
      suites: "src/stock.test.ts"
    = 3: 2 1 0 0, 124 ms
    ! Control characters that XML does not allow, taken out or replaced: 6.
    "#);
}

#[test]
fn playwright_has_a_suite_for_each_file_and_browser() {
    assert_snapshot!(told("playwright"), @r#"
    failed 3100 ms cart.spec.ts > cart › adds @C7
      suites: "cart.spec.ts"
      case: "C7"
      message: "cart.spec.ts:5:3 adds @C7"
      stack: "  [chromium] › cart.spec.ts:5:3 › cart › adds @C7\n\n    Error: expect(received).toBe(expected)\n\n    Retry #1 ───────────────────────────────\n\n    Error: expect(received).toBe(expected)"
      output: "[[ATTACHMENT|../test-results/cart-adds/test-failed-1.png]]"
    skipped 0 ms cart.spec.ts > cart › later
      suites: "cart.spec.ts"
    passed 2150 ms cart.spec.ts > cart › adds @C7 #2
      suites: "cart.spec.ts"
      case: "C7"
    = 3: 1 1 0 1, 5250 ms
    "#);
}

#[test]
fn cypress_has_an_empty_root_suite_and_hooks_as_cases() {
    assert_snapshot!(told("cypress"), @r#"
    passed 1200 ms adds > Cart adds
      suites: "Cart"
    failed 800 ms "before each" hook for "sums" > Cart "before each" hook for "sums"
      suites: "Cart"
      message: "Timed out retrying after 4000ms"
      stack: "AssertionError: Timed out retrying after 4000ms\n    at Context.eval (cart.cy.js:9:1)"
    = 2: 1 1 0 0, 2000 ms
    "#);
}

#[test]
fn nextest_tells_attempts_and_time_outs() {
    assert_snapshot!(told("nextest"), @r#"
    passed 10 ms shop::cart > tests::adds
      suites: "shop::cart"
      output: "running 1 test\nnote"
      before: failed Some("thread 'tests::adds' panicked at src/cart.rs:9:5") Some("thread 'tests::adds' panicked at src/cart.rs:9:5: no")
    failed 60000 ms shop::cart > tests::waits
      suites: "shop::cart"
      message: "test timeout"
      before: failed Some("test timeout") None
    passed 500 ms shop::cart > tests::sums
      suites: "shop::cart"
    = 3: 2 1 0 0, 60510 ms
    "#);
}

#[test]
fn bazel_keeps_the_log_at_the_suite() {
    assert_snapshot!(told("bazel"), @r#"
    passed 2000 ms shop/cart_test > shop/cart_test
      suites: "shop/cart_test"
      output: "Generated test.log (if the file is not UTF-8, then this may be unreadable):\nexec ${PAGER:-/usr/bin/less} \"$0\" || exit 1\nPASSED"
    = 1: 1 0 0 0, 2000 ms
    "#);
}

#[test]
fn newman_asserts_the_same_in_several_requests() {
    assert_snapshot!(told("newman"), @r#"
    passed 700 ms ShopAPI > status is 200
      suites: "Cart / GET cart"
    failed 700 ms ShopAPI > has items
      suites: "Cart / GET cart"
      message: "expected [] not to be empty"
      stack: "Failed 1 times.\nCollection JSON ID: 7b0ffa5e."
    passed 100 ms ShopAPI > status is 200 #2
      suites: "Cart / POST item"
    = 3: 2 1 0 0, 1500 ms
    "#);
}

#[test]
fn eslint_writes_a_case_for_each_finding() {
    assert_snapshot!(told("eslint"), @r#"
    failed 0 ms /src/cart > org.eslint.no-undef
      suites: "/src/cart.js"
      message: "'x' is not defined."
      stack: "line 1, col 1, Error - 'x' is not defined. (no-undef)"
    failed 0 ms /src/cart > org.eslint.no-undef #2
      suites: "/src/cart.js"
      message: "'y' is not defined."
      stack: "line 2, col 1, Error - 'y' is not defined. (no-undef)"
    = 2: 0 2 0 0, 0 ms
    "#);
}

#[test]
fn eclipse_has_a_root_of_its_own() {
    assert_snapshot!(told("eclipse"), @r#"
    passed 10 ms shop.CartTest > adds
      suites: "shop.CartTest"
    skipped 0 ms shop.CartTest > later
      suites: "shop.CartTest"
    errored 10 ms shop.CartTest > sums
      suites: "shop.CartTest"
      message: "java.lang.NullPointerException"
      stack: "java.lang.NullPointerException\n\tat shop.CartTest.sums(CartTest.java:20)"
    = 3: 1 0 1 1, 20 ms
    "#);
}

#[test]
fn a_report_without_names_still_counts() {
    assert_snapshot!(told("bare"), @r#"
    passed - straight under the root
    passed - (unnamed)
    passed - (unnamed) #2
    passed - c > (unnamed)
    passed - outer > inner > deep
      suites: "outer / inner"
    errored - in something unknown
      message: "f"
    = 6: 5 0 1 0, 0 ms
    "#);
}

#[test]
fn a_suite_that_breaks_outside_of_its_cases_is_one_errored_entry() {
    assert_snapshot!(told("suite-error"), @r#"
    errored - shop.DbTest > shop.DbTest (suite)
      suites: "shop.DbTest"
      message: "no database"
      stack: "java.sql.SQLException: no database\n\tat shop.DbTest.setUp(DbTest.java:3)"
      output: "connecting"
    passed 100 ms shop.LateTest > works
      suites: "shop.LateTest"
    errored - shop.LateTest > shop.LateTest (suite)
      suites: "shop.LateTest"
      message: "tear-down broke"
    = 3: 1 0 2 0, 100 ms
    ! The report declares 2 tests, 2 of them failed or errored; it holds 3, 2 of them failed or errored. What it holds was counted.
    "#);
}

#[test]
fn entities_of_the_file_are_never_expanded() {
    assert_snapshot!(told("doctype"), @r#"
    failed - c > a &lol2;
      suites: "s"
      message: "&secret;"
      stack: "&lol2; & &nbsp; &raw; ]]>"
    = 1: 0 1 0 0, 0 ms
    ! References to entities that XML does not define, kept as they are written: 4.
    "#);
}
