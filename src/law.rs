//! Laws: what must hold for any input, and how that is tried. Of tests only.
//!
//! The cases are the same each time, so that a red build is red again. `PROPTEST_CASES` asks for more of them and
//! `PROPTEST_RNG_SEED` for others, as `.ci/nightly` does. A failure is shrunk and shown; nothing is written beside
//! the sources: a case that taught something becomes a story with a name.

use std::cell::Cell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner, contextualize_config};

/// What a law says of one case: that it holds, and whether it had anything to say there; or how it is broken.
pub(crate) type Said = Result<bool, TestCaseError>;

/// Tries a law on so many cases. A law over nothing proves nothing: it must speak in at least one case of five.
#[track_caller]
pub(crate) fn holds<S: Strategy>(cases: u32, any: &S, law: impl Fn(S::Value) -> Said) {
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        max_shrink_iters: 100_000,
        max_shrink_time: 30_000,
        ..Config::default()
    };
    // What the environment asks for, and else what stands here.
    let config = contextualize_config(config);
    let (cases, seed) = (config.cases, config.rng_seed);
    let spoke = Cell::new(0);
    let tried = TestRunner::new(config).run(any, |case| {
        spoke.set(spoke.get() + u32::from(law(case)?));
        Ok(())
    });
    if let Err(broken) = tried {
        panic!("{broken}\nPROPTEST_RNG_SEED={seed}");
    }
    assert!(spoke.get() >= cases / 5, "it says something in {} of {cases} cases only", spoke.get());
}

#[cfg(test)]
mod tests {
    use proptest::prop_assert;

    use super::*;

    #[test]
    fn a_broken_law_is_told_with_the_smallest_case() {
        let broken = std::panic::catch_unwind(|| {
            holds(100, &(0..1000u32), |number| {
                prop_assert!(number < 7, "seven is too many");
                Ok(true)
            });
        });
        let told = broken.expect_err("it does not hold");
        let told = told.downcast_ref::<String>().expect("words");
        assert!(told.contains("seven is too many") && told.contains("input: 7\n"), "{told}");
    }

    #[test]
    #[should_panic(expected = "only")]
    fn a_law_that_says_nothing_does_not_hold() {
        holds(100, &(0..1000u32), |number| Ok(number > 900));
    }
}
