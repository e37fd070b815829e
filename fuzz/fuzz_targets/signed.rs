#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wxgate_fuzz::run("signed", bytes));
