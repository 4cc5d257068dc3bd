//! Tests of the password rule.

use super::*;

const ADA: &[&str] = &["Ada Lovelace", "ada.lovelace@northwind.example"];

#[test]
fn length_is_counted_in_code_points_after_composition() {
    assert_eq!(check("kurz und gut 14", ADA), Ok(()));
    assert_eq!(check("kurz und gut 1", ADA), Err(PasswordError::TooShort));
    // Fifteen letters with a combining mark compose to fifteen code points; fourteen are too few.
    let composed = |count: usize| {
        "e\u{301}xqzt"
            .repeat(5)
            .chars()
            .take(count * 6 / 5)
            .collect::<String>()
    };
    assert_eq!(normalised(&composed(10)).chars().count(), 10);
    assert_eq!(
        check("gru\u{308}ne wolke7", ADA),
        Err(PasswordError::TooShort)
    );
    assert_eq!(check("gru\u{308}ne wolke 7 im", ADA), Ok(()));
    let long: String = (0..256_u32)
        .map(|n| char::from_u32(0x4E00 + n * 37 % 5_000).unwrap())
        .collect();
    assert_eq!(check(&long, ADA), Ok(()));
    assert_eq!(check(&format!("{long}x"), ADA), Err(PasswordError::TooLong));
    assert_eq!(
        check(&"x".repeat(10_000_000), ADA),
        Err(PasswordError::TooLong)
    );
}

#[test]
fn repetitions_and_sequences_are_refused() {
    for password in [
        "aaaaaaaaaaaaaaaaaaaa",
        "abababababababab",
        "abcabcabcabcabcabc",
        "123456789012345",
        "abcdefghijklmnopqrst",
        "zyxwvutsrqponmlk",
        "qwertyuiopasdfghjkl",
        "1qaz2wsx3edc4rfv5tgb",
        "Tr0ub4d0r&Tr0ub4d0r&",
        "111112222233333444445",
    ] {
        assert_eq!(
            check(password, ADA),
            Err(PasswordError::Pattern),
            "{password}"
        );
    }
}

#[test]
fn words_that_belong_to_the_person_or_the_product_do_not_make_a_password() {
    for password in [
        "ada.lovelace@northwind.example",
        "AdaLovelace1815!!!",
        "Lovelace-Northwind-2026",
        "leadgen-connector-1",
        "LinkedIn Leadgen 2026!",
        "L1nk3d1n-L34dg3n-2026",
    ] {
        assert_eq!(
            check(password, ADA),
            Err(PasswordError::ContextWord),
            "{password}"
        );
    }
    assert_eq!(check("Hopper-Compiler-1906", &["Grace Hopper"]), Ok(()));
    assert_eq!(check("Hopper-1906-Grace!", ADA), Ok(()));
}

#[test]
fn what_everybody_tries_first_is_refused() {
    for password in [
        "correct horse battery staple",
        "Correct-Horse-Battery-Staple-1",
        "ThisIsMyPassword1!",
        "MayTheForceBeWithYou",
        "thequickbrownfoxjumps123",
        "Password12345678!",
        "P4$$w0rd-P4$$w0rd-1",
        "Welcome2026!!!!!!",
        "SummerPassword2026",
        "Administrator123!",
    ] {
        assert_eq!(
            check(password, ADA),
            Err(PasswordError::Common),
            "{password}"
        );
    }
}

#[test]
fn a_good_password_passes() {
    for password in [
        "blaue Wale tanzen nie am Dienstag",
        "gravel otter lantern seventeen",
        "x9!kQv#2mLp$7wZt",
        "пять зелёных чайников",
        "五匹の緑色のやかんが空を静かに飛ぶ",
        "orange dragon coffee thunder lamp",
        "83920-17465-29384-50",
        "🦀 crabs walk 🦀 sideways 🌊",
    ] {
        assert_eq!(check(password, ADA), Ok(()), "{password}");
    }
}
